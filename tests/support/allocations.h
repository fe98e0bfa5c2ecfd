// Counts the allocations of the test program that asks. Linking this replaces its operator new.
#pragma once

namespace flashcore::test {

/// How often the program has allocated so far, on all threads.
long allocation_count();

}  // namespace flashcore::test
