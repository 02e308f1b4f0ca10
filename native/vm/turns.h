#pragma once

#include <cstdint>
#include <mutex>
#include <set>

#include "base/ref.h"
#include "hal/semaphore.h"

namespace tesselle::vm {

class Turn;

/// Who comes after whom in a session: one at a time, first come, first served.
class TurnQueue : public Object {
 public:
  TurnQueue();

  /// The turn after all that were taken before.
  Ref<Turn> join();

 private:
  friend class Turn;
  void leave(uint64_t number);

  /// Its value is the number of turns that have ended, up to the first that has not.
  const Ref<hal::Semaphore> ended_;
  std::mutex mutex_;
  uint64_t next_ = 0;
  uint64_t first_open_ = 0;
  /// Turns that were given up before they had come.
  std::set<uint64_t> given_up_;
};

/// A place in the queue. The turn ends when nobody holds it any more, so that none can be forgotten.
class Turn : public Object {
 public:
  Turn(Ref<TurnQueue> queue, uint64_t number);
  ~Turn() override;

  /// The point in time from which on it is this one's turn.
  hal::TimelinePoint begins() const;
  bool has_come() const;

 private:
  const Ref<TurnQueue> queue_;
  const uint64_t number_;
};

}  // namespace tesselle::vm
