#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "base/ref.h"
#include "hal/command_buffer.h"
#include "hal/profiler.h"
#include "hal/semaphore.h"

namespace tesselle::hal {

class Submission;

/// Where submissions run. A device runs one to its end on the thread that calls, with the help of its workers.
class Device : public Object {
 public:
  virtual const Ref<Allocator>& allocator() const = 0;
  /// Runs the commands of a submission. Reports what goes wrong by an Error.
  virtual void execute(const Submission& submission) = 0;
  /// Lets the device's own queue thread run it, soon.
  virtual void enqueue(Ref<Submission> submission) = 0;

 protected:
  Device() : Object(ObjectKind::kDevice) {}
};

/// One execution of a command buffer, from the moment it is asked for to the end of the work.
///
/// Nobody has to be woken to run it: whoever waits for the result claims it and does the work (see await_point). Only
/// work that nobody waits for is handed to the device's queue thread (launch).
class Submission : public Object {
 public:
  /// Checks the binding table against the command buffer; fails with an execution error.
  Submission(Ref<Device> device, Ref<CommandBuffer> commands, std::span<const Ref<Buffer>> buffers,
             std::vector<TimelinePoint> waits, std::vector<TimelinePoint> signals, Ref<Profiler> profiler);
  /// Fails the semaphores that it would have signalled, when it never ran.
  ~Submission() override;

  const CommandBuffer& commands() const { return *commands_; }
  /// The address of every binding range of the command buffer.
  void* const* addresses() const { return addresses_.data(); }
  Profiler* profiler() const { return profiler_.get(); }
  const std::vector<TimelinePoint>& waits() const { return waits_; }

  /// Every wait is reached, or one has failed.
  bool is_ready() const;
  /// True for the one caller that may run() it.
  bool try_claim();
  /// Executes and signals; a failure, also of a wait, goes to the signalled semaphores.
  void run();
  /// Sees to it that it runs even when nobody waits for it.
  void launch();

 private:
  void launch_after(size_t next_wait);

  const Ref<Device> device_;
  const Ref<CommandBuffer> commands_;
  std::vector<Ref<Buffer>> buffers_;
  std::vector<void*> addresses_;
  const std::vector<TimelinePoint> waits_;
  std::vector<TimelinePoint> signals_;
  const Ref<Profiler> profiler_;
  std::atomic<bool> claimed_{false};
};

/// Waits for a point on a timeline, doing the work it depends on where nobody else has begun it.
/// False after the timeout; throws the failure. A negative timeout is none.
bool await_point(const TimelinePoint& point, int64_t timeout_ns);

}  // namespace tesselle::hal
