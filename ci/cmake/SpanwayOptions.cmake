# Compiler settings of every Spanway target. They sit on an interface target, never in global
# flags, so that third-party code is compiled and included as SYSTEM.
option(SPANWAY_BUILD_TESTS "Build the unit, contract and integration tests" ON)
option(SPANWAY_BUILD_BENCHMARKS "Build the micro benchmarks (needs libbenchmark-dev)" OFF)
option(SPANWAY_BUILD_FUZZERS "Build the libFuzzer targets (needs clang)" OFF)
option(SPANWAY_WEB "Build the page of spanway-query (needs npm)" ON)
set(SPANWAY_SANITIZE "" CACHE STRING "Empty, 'address' (with undefined) or 'thread'")
set_property(CACHE SPANWAY_SANITIZE PROPERTY STRINGS "" address thread)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)  # No machine's path in a binary.

find_program(SPANWAY_CCACHE ccache)
if(SPANWAY_CCACHE)
  # Paths below the source folder are hashed as relative ones: another clone finds what this one compiled.
  set(SPANWAY_COMPILER_LAUNCHER env "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" "${SPANWAY_CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER ${SPANWAY_COMPILER_LAUNCHER})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${SPANWAY_COMPILER_LAUNCHER})
endif()

add_library(spanway_options INTERFACE)
add_library(spanway::options ALIAS spanway_options)
target_include_directories(spanway_options INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_definitions(spanway_options INTERFACE
  _GLIBCXX_ASSERTIONS
  SPANWAY_VERSION="${PROJECT_VERSION}")
target_compile_options(spanway_options INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Werror
  # Stable paths: ccache hits across build folders, and no machine's path in a binary.
  "-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports these falsely through inlined library code at -O2.
  target_compile_options(spanway_options INTERFACE
    -Wno-error=maybe-uninitialized -Wno-error=stringop-overflow -Wno-error=array-bounds
    -Wno-error=restrict)
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  target_compile_options(spanway_options INTERFACE
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection)
  target_link_options(spanway_options INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
endif()

if(SPANWAY_SANITIZE STREQUAL "address")
  set(SPANWAY_SANITIZE_FLAGS -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
elseif(SPANWAY_SANITIZE STREQUAL "thread")
  # Asio's fences are not seen by ThreadSanitizer; the mutexes around them are.
  set(SPANWAY_SANITIZE_FLAGS -fsanitize=thread -fno-omit-frame-pointer -Wno-error=tsan)
elseif(NOT SPANWAY_SANITIZE STREQUAL "")
  message(FATAL_ERROR "SPANWAY_SANITIZE is '${SPANWAY_SANITIZE}'; use nothing, 'address' or 'thread'")
endif()
if(SPANWAY_SANITIZE_FLAGS)
  target_compile_options(spanway_options INTERFACE ${SPANWAY_SANITIZE_FLAGS})
  target_link_options(spanway_options INTERFACE ${SPANWAY_SANITIZE_FLAGS})
endif()

find_program(SPANWAY_MOLD mold)
if(SPANWAY_MOLD)
  target_link_options(spanway_options INTERFACE -fuse-ld=mold)
endif()
