#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "cpu/worker_pool.h"
#include "hal/submission.h"

namespace tesselle::cpu {

struct DeviceOptions {
  /// Threads that compute, the waiting one included; 0: one for each core this process may use.
  int threads = 0;
  /// Pin workers to cores.
  bool pin = true;
  /// Bytes of idle buffers to keep.
  int64_t cache_bytes = int64_t{1} << 30;
};

/// Processors this process may run on, one for each physical core, beginning with the one that calls.
std::vector<int> usable_cores();

/// The processor, as a device with the semantics of a GPU queue.
class CpuDevice final : public hal::Device {
 public:
  explicit CpuDevice(const DeviceOptions& options);
  ~CpuDevice() override;

  const Ref<hal::Allocator>& allocator() const override { return allocator_; }
  void execute(const hal::Submission& submission) override;
  void enqueue(Ref<hal::Submission> submission) override;
  int threads() const { return pool_.workers() + 1; }

 private:
  void run_segment(std::span<WorkItem> items, hal::Profiler* profiler);

  /// Work for the queue thread. Shared with it, because the last reference to the device may go on that very thread,
  /// together with a submission.
  struct Queue {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Ref<hal::Submission>> submissions;
    bool stop = false;
  };
  static void queue_main(const std::shared_ptr<Queue>& queue);

  const Ref<hal::Allocator> allocator_;
  WorkerPool pool_;
  const std::shared_ptr<Queue> queue_;
  // Runs what nobody waits for; started by the first such submission, under the queue's mutex.
  std::thread queue_thread_;
};

}  // namespace tesselle::cpu
