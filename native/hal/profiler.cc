#include "hal/profiler.h"

#include <utility>

namespace tesselle::hal {

void Profiler::add(const DispatchRecord& record) {
  const std::scoped_lock lock(mutex_);
  records_.push_back(record);
}

std::vector<DispatchRecord> Profiler::take() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(records_, {});
}

}  // namespace tesselle::hal
