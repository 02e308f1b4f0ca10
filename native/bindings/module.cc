#include <nanobind/stl/set.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/bindings.h"
#include "image/cpu_features.h"
#include "image/flat_image.h"
#include "tesselle/isa.h"

NB_MODULE(_native, module) {
  using namespace tesselle;
  module.doc() = "The native part of Tesselle's runtime. Use tesselle.runtime instead.";
  module.attr("ISA_VERSION") = vm::kIsaVersion;
  bindings::register_errors(module);
  bindings::register_hal(module);
  bindings::register_program(module);
  bindings::register_session(module);
  module.def("cpu_features", [] { return image::cpu_features(); });
  module.def("host_machine", [] { return image::host_machine(); });
  module.def("usable_cores", [] { return cpu::usable_cores(); });
  // The package keeps programs alive in caches of its own until the interpreter ends.
  nanobind::set_leak_warnings(false);
}
