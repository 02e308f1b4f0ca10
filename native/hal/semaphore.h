#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/ref.h"

namespace tesselle::hal {

class Submission;

/// A timeline semaphore: a counter that only grows, and that work waits for and signals. A fence of the VM is one whose
/// value goes from 0 to 1. A failure is final, and reaches everything that waits, now or later.
class Semaphore : public Object {
 public:
  explicit Semaphore(uint64_t initial);
  ~Semaphore() override;

  /// The present value. Throws the failure, if there is one.
  uint64_t query() const;
  bool has_failed() const { return failed_.load(std::memory_order_acquire); }
  /// True when `value` was reached; a failed semaphore has reached nothing that it had not before.
  bool has_reached(uint64_t value) const { return value_.load(std::memory_order_acquire) >= value; }
  /// Raises the value. Fails with an execution error when that does not raise it; does nothing after a failure.
  void signal(uint64_t value);
  /// Raises the value, unless it is as high already: for timelines whose signals may overtake one another.
  void advance(uint64_t value);
  /// Fails with the same error when a signal to `value` could not raise it even now.
  void require_raise(uint64_t value) const;
  void fail(const std::string& message);
  std::string failure() const;

  /// Waits until the value is reached. False after the timeout; throws the failure.
  bool wait(uint64_t value, int64_t timeout_ns);

  /// Runs `callback` once, when the value is reached or the semaphore fails; at once if it is so already.
  void on_reached(uint64_t value, std::function<void()> callback);

  /// The work that will signal it, so that a thread that waits can do that work itself. Not owned (the submission owns
  /// the semaphores that it signals): a submission withdraws itself before it dies.
  void set_producer(Submission* submission);
  void clear_producer(const Submission* submission);
  Ref<Submission> producer() const;

 private:
  void notify(std::unique_lock<std::mutex>& lock);

  std::atomic<uint64_t> value_;
  std::atomic<bool> failed_{false};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int waiters_ = 0;
  std::string failure_;
  std::multimap<uint64_t, std::function<void()>> callbacks_;
  Submission* producer_ = nullptr;
};

/// A point on a semaphore's timeline.
struct TimelinePoint {
  Ref<Semaphore> semaphore;
  uint64_t value = 1;
};

}  // namespace tesselle::hal
