# What a plugin's build needs. Ships in the package: an outside project calls find_package(ocellus) and then
#   ocellus_add_plugin(mine SOURCES mine.cpp KERNELS mine.cl)

set(OCELLUS_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/OcellusEmbed.cmake)

# ocellus_embed_kernels(TARGET OWNER NAME FILES a.cl b.cl): makes "a.cl" available as `ocellus::kernels::a_cl()` (a const
# opencl::KernelSource&) through the generated header "<TARGET>_kernels.hpp".
function(ocellus_embed_kernels target)
  cmake_parse_arguments(ARG "" "OWNER" "FILES" ${ARGN})
  set(dir ${CMAKE_CURRENT_BINARY_DIR}/${target}_kernels)
  set(inputs "")
  foreach(file IN LISTS ARG_FILES)
    get_filename_component(absolute ${file} ABSOLUTE)
    list(APPEND inputs ${absolute})
  endforeach()
  list(JOIN inputs "|" joined)
  add_custom_command(
    OUTPUT ${dir}/${target}_kernels.cpp ${dir}/${target}_kernels.hpp
    COMMAND ${CMAKE_COMMAND} -DFILES=${joined} -DOWNER=${ARG_OWNER} -DBASE=${dir}/${target}_kernels -DNAME=${target}_kernels
            -P ${OCELLUS_EMBED_SCRIPT}
    DEPENDS ${inputs} ${OCELLUS_EMBED_SCRIPT}
    COMMENT "Embedding the kernels of ${target}"
    VERBATIM)
  target_sources(${target} PRIVATE ${dir}/${target}_kernels.cpp ${dir}/${target}_kernels.hpp)
  target_include_directories(${target} PRIVATE ${dir})
endfunction()

# ocellus_add_plugin(NAME SOURCES ... [KERNELS ...]): a bundle that Ocellus loads at run time.
function(ocellus_add_plugin name)
  cmake_parse_arguments(ARG "" "" "SOURCES;KERNELS" ${ARGN})
  add_library(${name} MODULE ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ocellus::core ocellus::opencl)
  target_compile_features(${name} PRIVATE cxx_std_20)
  set_target_properties(${name} PROPERTIES PREFIX "" CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  if(ARG_KERNELS)
    ocellus_embed_kernels(${name} OWNER ${name} FILES ${ARG_KERNELS})
  endif()
  if(TARGET ocellus_warnings)
    target_link_libraries(${name} PRIVATE ocellus_warnings)
  endif()
endfunction()
