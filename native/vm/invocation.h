#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/ref.h"
#include "hal/submission.h"
#include "vm/program.h"

namespace tesselle::vm {

/// Where a call stands after resume().
enum class Status : uint8_t {
  kReady,      // not begun
  kYielded,    // at a `yield`
  kWaiting,    // at a fence that is not signalled: see Invocation::awaited()
  kPreempted,  // its step budget for this resume() is used up
  kDone,
};

/// A running call, as data: frames, registers and the work it has submitted. Whoever holds it may resume it, on any
/// thread, one at a time.
class Invocation : public Object {
 public:
  Invocation(Ref<Session> session, const Function& function);
  ~Invocation() override;

  void set_argument(uint32_t index, Slot value);
  /// Takes over one reference to `object`.
  void set_argument_reference(uint32_t index, Object* object);

  /// Runs until the call suspends or ends, but for `steps` jumps and calls at the most. A failure of the program is
  /// thrown as an execution error and ends the call.
  Status resume(int64_t steps);
  /// resume() to the end, helping with the work and waiting for it on this thread. `interrupted` is asked now and then
  /// and may throw.
  template <typename Interrupted>
  void run(Interrupted&& interrupted) {
    while (true) {
      const Status status = resume(kSliceSteps);
      if (status == Status::kDone) return;
      if (status == Status::kPreempted) interrupted();
      if (status == Status::kWaiting) {
        while (!await(kSliceNs)) interrupted();
      }
    }
  }
  /// Does or waits for what a call in state kWaiting waits for; false after the timeout.
  bool await(int64_t timeout_ns);

  Status status() const { return status_; }
  const Function& function() const { return function_; }
  const std::vector<Slot>& results() const { return results_; }
  const hal::TimelinePoint& awaited() const { return awaited_; }

 private:
  friend class Interpreter;
  static constexpr int64_t kSliceSteps = 1 << 16;
  static constexpr int64_t kSliceNs = 50'000'000;

  struct Frame {
    const Function* function;
    const uint32_t* pc;
    size_t base;
    /// The list of result registers in the caller's call instruction (count first); null in the first frame.
    const uint32_t* result_list;
  };

  void push_frame(const Function& function, const uint32_t* result_list);
  void pop_frame();
  void drop_frames();
  void launch_deferred();

  const Ref<Session> session_;
  const Function& function_;
  Ref<hal::Profiler> profiler_;
  std::vector<Slot> stack_;
  std::vector<Frame> frames_;
  std::vector<Slot> results_;
  /// Submitted, and not yet handed to anybody: most calls wait for their work at once, and then do it themselves.
  std::vector<Ref<hal::Submission>> deferred_;
  hal::TimelinePoint awaited_;
  int64_t steps_left_ = 0;
  Status status_ = Status::kReady;
  std::atomic<bool> running_{false};
};

}  // namespace tesselle::vm
