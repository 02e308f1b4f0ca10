#include "vm/turns.h"

#include <utility>

namespace tesselle::vm {

TurnQueue::TurnQueue() : Object(ObjectKind::kTurnQueue), ended_(make_ref<hal::Semaphore>(uint64_t{0})) {}

Ref<Turn> TurnQueue::join() {
  const std::scoped_lock lock(mutex_);
  // Made before it is counted: a number that nobody holds would hold up everybody.
  auto turn = make_ref<Turn>(Ref<TurnQueue>::share(this), next_);
  ++next_;
  return turn;
}

void TurnQueue::leave(uint64_t number) {
  uint64_t ended = 0;
  {
    const std::scoped_lock lock(mutex_);
    if (number != first_open_) {
      given_up_.insert(number);
      return;
    }
    ++first_open_;
    while (!given_up_.empty() && *given_up_.begin() == first_open_) {
      given_up_.erase(given_up_.begin());
      ++first_open_;
    }
    ended = first_open_;
  }
  // Outside the lock: what waits may be Python's, and take the interpreter's lock.
  ended_->advance(ended);
}

Turn::Turn(Ref<TurnQueue> queue, uint64_t number)
    : Object(ObjectKind::kTurn), queue_(std::move(queue)), number_(number) {}

Turn::~Turn() { queue_->leave(number_); }

hal::TimelinePoint Turn::begins() const { return {queue_->ended_, number_}; }

bool Turn::has_come() const { return queue_->ended_->has_reached(number_); }

}  // namespace tesselle::vm
