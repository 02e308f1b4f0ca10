#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "hal/submission.h"

namespace tesselle::cpu {

/// A command, ready to run: workgroups 0 … groups-1, handed out `chunk` at a time.
struct WorkItem {
  const hal::Command* command = nullptr;
  void* const* bindings = nullptr;
  const int64_t* push = nullptr;
  const hal::BindingRange* ranges = nullptr;
  int64_t groups = 0;
  int64_t chunk = 1;
  int64_t first_ticket = 0;
};

/// What the workers share while one barrier segment runs: items that are independent of one another. Tickets number the
/// chunks of all items, one after another, so that the tail of one item overlaps the head of the next.
struct Job {
  std::span<const WorkItem> items;
  int64_t tickets = 0;
  hal::Profiler* profiler = nullptr;
};

/// Runs the workgroups [begin, end) of an item on this thread.
void run_workgroups(const WorkItem& item, int64_t begin, int64_t end, hal::Profiler* profiler, int worker);

/// Threads that claim tickets.
///
/// One 64-bit word holds an epoch, which names the job, and the number of tickets that are left; a claim is one
/// compare-and-swap that takes a ticket off it. A ticket can only be had while its job is the current one, and a job
/// ends only when every claimed ticket is done, so a worker that was preempted delays nothing that it has not claimed,
/// and no worker ever needs to be seen before the next job begins. Idle workers spin for a while, then sleep on a
/// futex.
class WorkerPool {
 public:
  /// `cpus` lists the processors to pin workers to; empty: no pinning.
  WorkerPool(int workers, std::vector<int> cpus);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  int workers() const { return static_cast<int>(threads_.size()); }
  /// Runs a job on the calling thread and the workers. False, and nothing done, when another thread's job is running.
  bool try_run(const Job& job);

 private:
  /// What one thread did of a job; `tickets` is the job's total, read while a claim kept the job alive.
  struct Share {
    int64_t done = 0;
    int64_t tickets = 0;
  };

  void worker_main(int worker);
  /// Claims and runs tickets of the current job until none is left.
  Share work(uint64_t word, int worker);
  void finish(const Share& share);
  void wait_for_work(uint64_t seen);

  // Each word on a cache line of its own: workers poll the first, the caller polls the second.
  alignas(64) std::atomic<uint64_t> word_{0};
  alignas(64) std::atomic<uint32_t> done_{0};
  std::atomic<bool> caller_sleeps_{false};
  alignas(64) std::atomic<uint32_t> wake_sequence_{0};
  std::atomic<uint32_t> sleepers_{0};
  std::atomic<bool> stop_{false};
  alignas(64) std::atomic<bool> busy_{false};
  std::atomic<const Job*> job_{nullptr};
  uint32_t epoch_ = 0;
  const int owner_;
  std::vector<std::thread> threads_;
};

}  // namespace tesselle::cpu
