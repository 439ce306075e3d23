// What people say about a model, stored in our own group of a file that keeps all the rest.
#include "keras.hpp"
#include "ocellus/core/abi.hpp"

namespace ocellus::keras {

void annotate(const ModelDocument& document, const std::filesystem::path& from,
              const std::filesystem::path& to) {
  const std::string own_group = "/ocellus", sample = own_group + "/sample";
  Json own = Json::object();
  {
    const H5Reader file(from);
    const std::string text =
        file.has_group(own_group) ? file.text(own_group, "document", "") : std::string();
    if (!text.empty()) own = Json::parse(text, file.name() + ": /ocellus");
  }
  own["format"] = 1;
  own["version"] = OCELLUS_VERSION;
  own["classes"] = Json::list_of(document.classes);
  own["preprocessing"] = document.preprocessing ? document.preprocessing->to_json() : Json();
  H5Writer::edit(from, to, [&](H5Writer& file) {
    if (!file.has_group(own_group)) file.group(own_group);
    file.attribute(own_group, "document", own.dump());
    if (file.has_group(sample)) file.remove(sample);
    if (!document.sample) return;
    file.dataset(sample + "/input", document.sample->input);
    file.dataset(sample + "/logits", document.sample->logits);
  });
}

}  // namespace ocellus::keras
