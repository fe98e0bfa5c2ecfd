#include "cuda/stream.h"

#include "cuda/driver_api.h"

namespace flashcore::cuda {
namespace {

api::Stream as_stream(StreamHandle handle) {
  return static_cast<api::Stream>(handle);
}
api::Event as_event(void* handle) {
  return static_cast<api::Event>(handle);
}

/// What `record` queued on a stream of its own. Thread-local: what other threads do meanwhile
/// (a compile that loads a module, another library's allocation) neither fails nor breaks it.
api::Graph capture(const std::function<void(StreamHandle)>& record) {
  const api::Driver& driver = api::driver();
  const Stream stream;
  api::check(driver.cuStreamBeginCapture_v2(as_stream(stream.handle()), api::capture_thread_local),
             "cuStreamBeginCapture");
  api::Graph graph = nullptr;
  try {
    record(stream.handle());
  } catch (...) {
    driver.cuStreamEndCapture(as_stream(stream.handle()), &graph);
    if (graph != nullptr) driver.cuGraphDestroy(graph);
    throw;
  }
  api::check(driver.cuStreamEndCapture(as_stream(stream.handle()), &graph), "cuStreamEndCapture");
  return graph;
}

}  // namespace

Stream::Stream() {
  api::Stream stream = nullptr;
  api::check(api::driver().cuStreamCreate(&stream, api::stream_non_blocking), "cuStreamCreate");
  handle_ = stream;
}

Stream::~Stream() {
  api::driver().cuStreamDestroy_v2(as_stream(handle_));
}

void Stream::synchronize() const {
  api::check(api::driver().cuStreamSynchronize(as_stream(handle_)), "cuStreamSynchronize");
}

Event::Event() {
  api::Event event = nullptr;
  api::check(api::driver().cuEventCreate(&event, 0), "cuEventCreate");
  handle_ = event;
}

Event::~Event() {
  api::driver().cuEventDestroy_v2(as_event(handle_));
}

void Event::record(StreamHandle stream) const {
  api::check(api::driver().cuEventRecord(as_event(handle_), as_stream(stream)), "cuEventRecord");
}

void Event::synchronize() const {
  api::check(api::driver().cuEventSynchronize(as_event(handle_)), "cuEventSynchronize");
}

double Event::elapsed_us(const Event& start, const Event& stop) {
  float milliseconds = 0.0F;
  api::check(api::driver().cuEventElapsedTime(&milliseconds, as_event(start.handle_),
                                              as_event(stop.handle_)),
             "cuEventElapsedTime");
  return double{milliseconds} * 1e3;
}

Graph::Graph(const std::function<void(StreamHandle)>& record) {
  const api::Driver& driver = api::driver();
  const api::Graph graph = capture(record);
  api::GraphExec executable = nullptr;
  if (const auto result = driver.cuGraphInstantiateWithFlags(&executable, graph, 0);
      result != api::success) {
    driver.cuGraphDestroy(graph);
    api::fail_call("cuGraphInstantiate", result);
  }
  graph_ = graph;
  executable_ = executable;
}

Graph::~Graph() {
  const api::Driver& driver = api::driver();
  driver.cuGraphExecDestroy(static_cast<api::GraphExec>(executable_));
  driver.cuGraphDestroy(static_cast<api::Graph>(graph_));
}

void Graph::launch(StreamHandle stream) const {
  api::check(
      api::driver().cuGraphLaunch(static_cast<api::GraphExec>(executable_), as_stream(stream)),
      "cuGraphLaunch");
}

void Graph::set_kernel(const Kernel& kernel, const LaunchShape& shape, const void* params) {
  const api::Driver& driver = api::driver();
  if (kernel_node_ == nullptr) {
    api::GraphNode node = nullptr;
    std::size_t count = 1;
    api::check(driver.cuGraphGetNodes(static_cast<api::Graph>(graph_), &node, &count),
               "cuGraphGetNodes");
    kernel_node_ = node;
  }
  void* arguments[] = {const_cast<void*>(params)};  // the driver only reads it
  const api::KernelNodeParams launch{.function = static_cast<api::Function>(kernel.function()),
                                     .dims = api::dims_of(shape),
                                     .params = arguments,
                                     .extra = nullptr,
                                     .kernel = nullptr,
                                     .context = nullptr};
  api::check(
      driver.cuGraphExecKernelNodeSetParams_v2(static_cast<api::GraphExec>(executable_),
                                               static_cast<api::GraphNode>(kernel_node_), &launch),
      "cuGraphExecKernelNodeSetParams");
}

void synchronize_device() {
  api::check(api::driver().cuCtxSynchronize(), "cuCtxSynchronize");
}

}  // namespace flashcore::cuda
