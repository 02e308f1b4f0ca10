#include "hal/submission.h"

#include <exception>
#include <utility>

#include "base/error.h"

namespace tesselle::hal {
namespace {

// How long a chain of submissions a waiting thread follows before it leaves the rest to the queue thread.
constexpr int kMaxHelpDepth = 64;

/// Runs what `point` depends on, as far as it is free to be run. True when it ran something.
bool help(const TimelinePoint& point, int depth) {
  const Ref<Submission> producer = point.semaphore->producer();
  if (!producer) return false;
  if (producer->is_ready()) {
    if (!producer->try_claim()) return false;
    producer->run();
    return true;
  }
  if (depth >= kMaxHelpDepth) return false;
  bool progress = false;
  for (const TimelinePoint& wait : producer->waits()) {
    if (!wait.semaphore->has_reached(wait.value)) progress |= help(wait, depth + 1);
  }
  return progress;
}

}  // namespace

Submission::Submission(Ref<Device> device, Ref<CommandBuffer> commands, std::span<const Ref<Buffer>> buffers,
                       std::vector<TimelinePoint> waits, std::vector<TimelinePoint> signals, Ref<Profiler> profiler)
    : Object(ObjectKind::kSubmission),
      device_(std::move(device)),
      commands_(std::move(commands)),
      buffers_(buffers.begin(), buffers.end()),
      waits_(std::move(waits)),
      signals_(std::move(signals)),
      profiler_(std::move(profiler)) {
  commands_->resolve(buffers_, addresses_);
  // Told here where it is known already: once the work has run, others may long have seen the old value.
  for (const TimelinePoint& point : signals_) point.semaphore->require_raise(point.value);
  for (const TimelinePoint& point : signals_) point.semaphore->set_producer(this);
}

Submission::~Submission() {
  for (const TimelinePoint& point : signals_) {
    point.semaphore->clear_producer(this);
    point.semaphore->fail("the work that should have signalled a semaphore was dropped before it ran");
  }
}

bool Submission::is_ready() const {
  for (const TimelinePoint& wait : waits_) {
    if (wait.semaphore->has_failed()) return true;
    if (!wait.semaphore->has_reached(wait.value)) return false;
  }
  return true;
}

bool Submission::try_claim() { return !claimed_.exchange(true, std::memory_order_acq_rel); }

void Submission::run() {
  try {
    for (const TimelinePoint& wait : waits_) {
      if (wait.semaphore->has_failed()) wait.semaphore->query();
    }
    device_->execute(*this);
    // The buffers go before the signal: whoever waits may then be the only holder of a result.
    buffers_.clear();
    for (const TimelinePoint& point : signals_) point.semaphore->signal(point.value);
  } catch (const std::exception& error) {
    buffers_.clear();
    for (const TimelinePoint& point : signals_) point.semaphore->fail(error.what());
  }
  for (const TimelinePoint& point : signals_) point.semaphore->clear_producer(this);
  signals_.clear();
}

void Submission::launch() { launch_after(0); }

void Submission::launch_after(size_t next_wait) {
  for (size_t i = next_wait; i < waits_.size(); ++i) {
    const TimelinePoint& wait = waits_[i];
    if (wait.semaphore->has_reached(wait.value) || wait.semaphore->has_failed()) continue;
    wait.semaphore->on_reached(wait.value, [self = Ref<Submission>::share(this), i] { self->launch_after(i + 1); });
    return;
  }
  if (!claimed_.load(std::memory_order_acquire)) device_->enqueue(Ref<Submission>::share(this));
}

bool await_point(const TimelinePoint& point, int64_t timeout_ns) {
  Semaphore& semaphore = *point.semaphore;
  while (!semaphore.has_reached(point.value) && !semaphore.has_failed()) {
    if (!help(point, 0)) return semaphore.wait(point.value, timeout_ns);
  }
  return semaphore.wait(point.value, timeout_ns);
}

}  // namespace tesselle::hal
