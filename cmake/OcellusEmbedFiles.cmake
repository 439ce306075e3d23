# cmake -DFILES="a.css|b.js" -DBASE=dir/name -DNAME=name -P OcellusEmbedFiles.cmake
# Writes BASE.hpp and BASE.cpp: one function a file that returns its bytes as a std::string_view.
string(REPLACE "|" ";" FILES "${FILES}")
set(header "#pragma once\n#include <string_view>\nnamespace ocellus::files {\n")
set(source "#include \"${NAME}.hpp\"\nnamespace ocellus::files {\n")
foreach(file IN LISTS FILES)
  get_filename_component(base "${file}" NAME)
  string(MAKE_C_IDENTIFIER "${base}" id)
  file(READ "${file}" bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(APPEND header "std::string_view ${id}();\n")
  string(APPEND source "static const unsigned char ${id}_bytes[] = {${bytes}0};\n"
                       "std::string_view ${id}() { return {reinterpret_cast<const char*>(${id}_bytes), sizeof ${id}_bytes - 1}; }\n")
endforeach()
file(WRITE "${BASE}.hpp" "${header}}\n")
file(WRITE "${BASE}.cpp" "${source}}\n")
