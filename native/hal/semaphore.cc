#include "hal/semaphore.h"

#include <chrono>
#include <utility>
#include <vector>

#include "base/error.h"
#include "hal/submission.h"

namespace tesselle::hal {

Semaphore::Semaphore(uint64_t initial) : Object(ObjectKind::kSemaphore), value_(initial) {}
Semaphore::~Semaphore() = default;

uint64_t Semaphore::query() const {
  if (has_failed()) fail_execution(failure());
  return value_.load(std::memory_order_acquire);
}

void Semaphore::require_raise(uint64_t value) const {
  const uint64_t before = value_.load(std::memory_order_acquire);
  if (!has_failed() && value <= before) {
    fail_execution("signal to " + std::to_string(value) + " does not raise a semaphore that is at " +
                   std::to_string(before));
  }
}

void Semaphore::signal(uint64_t value) {
  std::unique_lock lock(mutex_);
  if (failed_.load(std::memory_order_relaxed)) return;
  require_raise(value);
  value_.store(value, std::memory_order_release);
  notify(lock);
}

void Semaphore::advance(uint64_t value) {
  std::unique_lock lock(mutex_);
  if (failed_.load(std::memory_order_relaxed) || has_reached(value)) return;
  value_.store(value, std::memory_order_release);
  notify(lock);
}

void Semaphore::fail(const std::string& message) {
  std::unique_lock lock(mutex_);
  if (failed_.load(std::memory_order_relaxed)) return;
  failure_ = message;
  failed_.store(true, std::memory_order_release);
  notify(lock);
}

std::string Semaphore::failure() const {
  const std::scoped_lock lock(mutex_);
  return failure_;
}

void Semaphore::notify(std::unique_lock<std::mutex>& lock) {
  std::vector<std::function<void()>> due;
  if (!callbacks_.empty()) {
    const bool all = failed_.load(std::memory_order_relaxed);
    const auto end = all ? callbacks_.end() : callbacks_.upper_bound(value_.load(std::memory_order_relaxed));
    for (auto it = callbacks_.begin(); it != end; ++it) due.push_back(std::move(it->second));
    callbacks_.erase(callbacks_.begin(), end);
  }
  if (waiters_ > 0) changed_.notify_all();
  lock.unlock();
  for (const auto& callback : due) callback();
}

bool Semaphore::wait(uint64_t value, int64_t timeout_ns) {
  if (!has_reached(value)) {
    std::unique_lock lock(mutex_);
    const auto done = [&] { return has_reached(value) || failed_.load(std::memory_order_relaxed); };
    ++waiters_;
    if (timeout_ns < 0) {
      changed_.wait(lock, done);
    } else {
      changed_.wait_for(lock, std::chrono::nanoseconds(timeout_ns), done);
    }
    --waiters_;
  }
  if (has_reached(value)) return true;
  if (has_failed()) fail_execution(failure());
  return false;
}

void Semaphore::on_reached(uint64_t value, std::function<void()> callback) {
  {
    const std::scoped_lock lock(mutex_);
    if (!has_reached(value) && !failed_.load(std::memory_order_relaxed)) {
      callbacks_.emplace(value, std::move(callback));
      return;
    }
  }
  callback();
}

void Semaphore::set_producer(Submission* submission) {
  const std::scoped_lock lock(mutex_);
  producer_ = submission;
}

void Semaphore::clear_producer(const Submission* submission) {
  const std::scoped_lock lock(mutex_);
  if (producer_ == submission) producer_ = nullptr;
}

Ref<Submission> Semaphore::producer() const {
  const std::scoped_lock lock(mutex_);
  if (!producer_ || !producer_->try_retain()) return nullptr;
  return Ref<Submission>::adopt(producer_);
}

}  // namespace tesselle::hal
