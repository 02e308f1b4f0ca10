#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/ref.h"
#include "hal/executable.h"

namespace tesselle::image {

/// ELF machine numbers, as they stand in an image.
inline constexpr uint16_t kMachineX86_64 = 62;
inline constexpr uint16_t kMachineAArch64 = 183;

/// The machine this runtime was built for; 0 when it can run no images.
uint16_t host_machine();

/// Checks a flat image, copies its code into fresh memory and makes that executable (it is never writable and
/// executable at once). Fails with an artifact error that begins with `name`.
///
/// Layout, little-endian: a header of 64 bytes {"TSLX", u16 version = 1, u16 machine, u32 entry count, u32 0, u64 image
/// size, u64 code offset (a multiple of 64), u64 code size, u32 crc32 of the code, zeros}; entry count × {u64 offset in
/// the code, u64 bytes of local memory, u32 bindings, u32 push constants}; zeros up to the code; code.
Ref<hal::Executable> load_flat_image(std::span<const std::byte> image, const char* name, int index);

/// CRC-32 as in zlib.
uint32_t crc32(std::span<const std::byte> data);

}  // namespace tesselle::image
