#pragma once

#include <atomic>
#include <cstdint>

namespace tesselle {

/// Sleeps while `word` is `expected`; may return early for no reason.
void futex_wait(std::atomic<uint32_t>& word, uint32_t expected);

/// Wakes up to `count` threads that sleep on `word`.
void futex_wake(std::atomic<uint32_t>& word, int count);

}  // namespace tesselle
