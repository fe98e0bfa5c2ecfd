/* FlashCore: exact fused attention, O = softmax(scale * Q K^T + mask) V.
 *
 * The C interface. It needs no CUDA header and no other library's header. Every function returns a
 * status; the message that belongs to the last failure on the calling thread is
 * flashcore_last_error(). A zero-initialised flashcore_attention with `struct_size` set is complete
 * but for its tensors: no mask, the default scale, no log-sum-exp.
 */
#ifndef FLASHCORE_FLASHCORE_H
#define FLASHCORE_FLASHCORE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define FLASHCORE_EXPORT __attribute__((visibility("default")))
#else
#define FLASHCORE_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define FLASHCORE_VERSION "0.1.0"

typedef enum flashcore_status {
  FLASHCORE_OK = 0,
  FLASHCORE_INVALID_ARGUMENT = 1, /* an argument contradicts itself or another one */
  FLASHCORE_UNSUPPORTED = 2,      /* well-formed, but no kernel serves it on that device */
  FLASHCORE_NO_DEVICE = 3,        /* the device, its driver or the compiler is not there */
  FLASHCORE_OUT_OF_MEMORY = 4,
  FLASHCORE_COMPILE_FAILED = 5, /* the kernel did not compile, or not within its budget */
  FLASHCORE_DEVICE_FAILED = 6,  /* the driver reported an error */
  FLASHCORE_IO = 7,             /* a file could not be read or written */
  FLASHCORE_INTERNAL = 8        /* a defect in FlashCore: please report it */
} flashcore_status;

typedef enum flashcore_dtype {
  FLASHCORE_FLOAT16 = 0,
  FLASHCORE_BFLOAT16 = 1,
  FLASHCORE_FLOAT32 = 2 /* on the CPU only */
} flashcore_dtype;

typedef enum flashcore_mask_kind {
  FLASHCORE_MASK_NONE = 0,
  FLASHCORE_MASK_CAUSAL_TOP_LEFT = 1,    /* query i sees keys j <= i */
  FLASHCORE_MASK_CAUSAL_BOTTOM_RIGHT = 2 /* query i sees keys j <= i + seq_kv - seq_q */
} flashcore_mask_kind;

typedef enum flashcore_device_kind {
  FLASHCORE_DEVICE_CPU = 0,
  FLASHCORE_DEVICE_CUDA = 1
} flashcore_device_kind;

/* A tensor of shape [batch, heads, seq, head_dim] in any order of memory whose last dimension is
 * contiguous. Strides are in elements. BSHD and BHSD differ only in their strides. */
typedef struct flashcore_tensor {
  void* data;
  int32_t dtype; /* a flashcore_dtype */
  int64_t batch, heads, seq, head_dim;
  int64_t stride_batch, stride_head, stride_seq;
} flashcore_tensor;

/* The log-sum-exp, fp32, natural logarithm, scale included, shape [batch, heads, seq_q].
 * `data` null: not wanted. All strides 0: contiguous. Strides are in elements. */
typedef struct flashcore_lse {
  float* data;
  int64_t stride_batch, stride_head, stride_seq;
} flashcore_lse;

/* `window_left` and `window_right` count inclusively from the diagonal, -1 for unlimited, and hold
 * only where `use_window` is not 0. The diagonal lies at the bottom right, unless `kind` is
 * FLASHCORE_MASK_CAUSAL_TOP_LEFT. A causal mask and a window hold together. */
typedef struct flashcore_mask {
  int32_t kind; /* a flashcore_mask_kind */
  int32_t use_window;
  int64_t window_left, window_right;
} flashcore_mask;

/* One attention call. q and o are [batch, heads_q, seq_q, head_dim], k and v are
 * [batch, heads_kv, seq_kv, head_dim]; heads_q is a multiple of heads_kv, and query head h reads
 * key head h / (heads_q / heads_kv). All four have one dtype. seq_kv may be 0: then every row is
 * masked. A fully masked row gives o = 0 and lse = -inf. */
typedef struct flashcore_attention {
  uint32_t struct_size; /* sizeof(flashcore_attention) */
  int32_t use_scale;    /* 0: scale is 1 / sqrt(head_dim) and `scale` is not read */
  float scale;
  flashcore_mask mask;
  flashcore_tensor q, k, v, o;
  flashcore_lse lse;
} flashcore_attention;

/* Where and with what a call runs. `stream` is a CUstream (cudaStream_t) of that device, or null
 * for its default stream; the CPU ignores it. The workspace is the caller's, at least
 * flashcore_workspace_size bytes, aligned to 64 bytes, on the device that computes. Calls that run
 * at the same time need workspaces of their own.
 *
 * `overlap` not 0: the call's kernel may be started while the work ahead of it in the stream is
 * still running (programmatic dependent launch). It prepares itself then, and waits for that work's
 * end before it reads or writes a tensor: the result is the same, a few microseconds earlier.
 * Ignored where the kernel or the GPU has no such start (before sm_90). */
typedef struct flashcore_execution {
  uint32_t struct_size; /* sizeof(flashcore_execution) */
  int32_t device;       /* a flashcore_device_kind */
  int32_t device_index;
  void* stream;
  void* workspace;
  size_t workspace_bytes;
  int32_t overlap;
} flashcore_execution;

/* What serves a call. The strings live as long as the process. */
typedef struct flashcore_choice {
  uint32_t struct_size; /* sizeof(flashcore_choice) */
  const char* backend;  /* "cpu" or "cuda" */
  const char* family;   /* "cpu_blocked", "forward_scalar", ... */
  const char* config;   /* the Config by field name, "head_dim=64,block_q=..." */
  const char* reason;   /* why this one */
} flashcore_choice;

/* Computes o, and lse where wanted. On a GPU the work is queued on the stream and the call returns
 * at once. The first call for a problem may compile and allocate, the first one on each stream may
 * allocate; later ones do neither, do not synchronise, and can be captured into a CUDA graph. When
 * the status is not FLASHCORE_OK, o holds no result. */
FLASHCORE_EXPORT flashcore_status flashcore_attention_forward(const flashcore_attention* attention,
                                                              const flashcore_execution* execution);

/* The bytes of workspace that flashcore_attention_forward needs for this call, possibly 0. */
FLASHCORE_EXPORT flashcore_status flashcore_workspace_size(const flashcore_attention* attention,
                                                           const flashcore_execution* execution,
                                                           size_t* bytes);

/* FLASHCORE_OK when the call would be served, otherwise the status it would give; the reason is
 * flashcore_last_error(). Compiles nothing and does not read tensor data; `data` may be null. */
FLASHCORE_EXPORT flashcore_status flashcore_supports(const flashcore_attention* attention,
                                                     const flashcore_execution* execution);

/* Which backend, family and Config serve this call, and why. */
FLASHCORE_EXPORT flashcore_status flashcore_choose(const flashcore_attention* attention,
                                                   const flashcore_execution* execution,
                                                   flashcore_choice* choice);

/* Adds a pack of compiled kernels (`flashcore compile --pack FILE`) to the ones looked up. */
FLASHCORE_EXPORT flashcore_status flashcore_load_pack(const char* path);

/* How many CUDA devices there are; 0, with the reason in flashcore_last_error(), where the driver
 * cannot be loaded. */
FLASHCORE_EXPORT flashcore_status flashcore_cuda_device_count(int32_t* count);

/* The message of the calling thread's last call that did not return FLASHCORE_OK. Never null;
 * valid until the thread's next call. */
FLASHCORE_EXPORT const char* flashcore_last_error(void);

FLASHCORE_EXPORT const char* flashcore_status_name(flashcore_status status);

/* FLASHCORE_VERSION of the library that is linked. */
FLASHCORE_EXPORT const char* flashcore_version(void);

#ifdef __cplusplus
}
#endif

#endif
