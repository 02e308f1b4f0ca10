#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/ref.h"
#include "hal/submission.h"
#include "vm/program.h"
#include "vm/session.h"

namespace tesselle::vm {

/// Where a call stands after resume().
enum class Status : uint8_t {
  kReady,      // not begun
  kYielded,    // at a `yield`
  kWaiting,    // at a fence that is not signalled, or before its turn: see Invocation::awaited()
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

  /// Gives the call its place among those of the session. One that never does this does not wait for others.
  void join() {
    if (order_) order_->turn = session_->join();
  }
  /// Runs `callback` once, on any thread, when the call's turn has come; at once when it has or there is no order.
  void on_turn(std::function<void()> callback) const;

  /// Runs until the call suspends or ends, but for `steps` jumps and calls at the most. A failure of the program is
  /// thrown as an execution error and ends the call.
  Status resume(int64_t steps);
  /// resume() to the end, helping with the work and waiting for it on this thread. `interrupted` is asked now and then
  /// and may throw.
  template <typename Poll>
  void run(Poll&& interrupted) {
    while (true) {
      const Status status = resume(kSliceSteps);
      if (status == Status::kDone) return;
      try {
        if (status == Status::kPreempted) interrupted();
        if (status == Status::kWaiting) {
          while (!await(kSliceNs)) interrupted();
        }
      } catch (...) {
        abandon(current_failure());
        throw;
      }
    }
  }
  /// Ends a call that has not ended: it gives up its turn, and what it has not begun will not happen. A call that may
  /// have changed variables leaves its session unusable, for `reason`.
  void abandon(const std::string& reason);
  /// Does or waits for what a call in state kWaiting waits for; false after the timeout.
  bool await(int64_t timeout_ns);

  Status status() const { return status_; }
  const Function& function() const { return function_; }
  const std::vector<Slot>& results() const { return results_; }
  const hal::TimelinePoint& awaited() const { return awaited_; }

  /// The last line of what the exception that is being handled says.
  static std::string current_failure();
  /// Fails with an invocation error in a host function of a call of `session`: whoever waits there for another call of
  /// the session waits for itself.
  static void require_no_call_around(const Session& session);

 private:
  friend class Interpreter;
  class Running;
  static constexpr int64_t kSliceSteps = 1 << 16;
  static constexpr int64_t kSliceNs = 50'000'000;

  struct Frame {
    const Function* function;
    const uint32_t* pc;
    size_t base;
    /// The list of result registers in the caller's call instruction (count first); null in the first frame.
    const uint32_t* result_list;
  };

  /// A call's place among others, where the program has variables.
  struct Order {
    /// Null: the call has none, or has given it up.
    Ref<Turn> turn;
    bool has_begun = false;
    std::vector<hal::TimelinePoint> in_flight;
    /// The call of the same thread in whose host function this one runs.
    const Invocation* outer = nullptr;
  };

  void push_frame(const Function& function, const uint32_t* result_list);
  void pop_frame();
  void drop_frames();
  void launch_deferred();
  /// False when it is not this call's turn yet; then it is what the call awaits.
  bool take_turn();
  /// Ends the turn as soon as nothing that the call has submitted is under way.
  void give_up_turn();
  /// Work that has to end before the turn does.
  void track(const hal::TimelinePoint& point);
  /// Copies results that something else holds, too, while no other call can change them.
  void settle_results();
  std::string place() const;
  /// As require_no_call_around, of `call` and those around it.
  static void require_none_of(const Session& session, const Invocation* call);
  void end(const std::string& reason);

  const Ref<Session> session_;
  const Function& function_;
  Ref<hal::Profiler> profiler_;
  std::vector<Slot> stack_;
  std::vector<Frame> frames_;
  std::vector<Slot> results_;
  /// Submitted, and not yet handed to anybody: most calls wait for their work at once, and then do it themselves.
  std::vector<Ref<hal::Submission>> deferred_;
  hal::TimelinePoint awaited_;
  /// Null where the program has no variables. Apart, so that calls that need none of it stay small.
  const std::unique_ptr<Order> order_;
  int64_t steps_left_ = 0;
  Status status_ = Status::kReady;
  /// The call may have changed something that outlives it.
  bool has_effects_ = false;
  std::atomic<bool> running_{false};
};

}  // namespace tesselle::vm
