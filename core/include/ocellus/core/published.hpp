#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ocellus/core/json.hpp"

namespace ocellus {

// What others published and Ocellus uses by name: trained weights, class names, data sets. A list
// says where each stands and how its files are known; docs/formats.md describes it. `ocellus fetch`
// alone uses the network. It puts files into the cache only when they are verified, so everybody
// else asks no more than whether they are there.

/// One published file.
struct PublishedFile {
  std::string name;             ///< in the item's folder
  std::string address;          ///< http, https or ftp
  std::optional<int64_t> size;  ///< bytes
  std::string hash;             ///< "sha256:HEX" or "md5:HEX"; empty: its publisher tells none
  /// An archive: these files are taken out of it, whatever folder it keeps them in, and the archive
  /// itself is not kept.
  std::vector<std::string> unpack;
};

/// A published item: files that belong together and have one name.
struct OCELLUS_API Published {
  std::string name, about, licence;
  std::vector<PublishedFile> files;
  std::vector<std::string> needs;  ///< items that are fetched along with it
  std::string architecture;        ///< weights: of which zoo family; empty for other items
  Json parameters;                 ///< weights: what the family's parameters must be to fit
  std::string preprocessing;       ///< weights: what they were trained with, by name

  /// The item's folder in the cache.
  std::filesystem::path folder() const;
  /// Names of the files that the folder holds when all is there.
  std::vector<std::string> contents() const;
  bool is_cached() const;
};

/// Where what can be had again is kept: $OCELLUS_CACHE, else $XDG_CACHE_HOME/ocellus, else
/// ~/.cache/ocellus. Empty when the user has no such place. The folder may not exist yet.
OCELLUS_API std::filesystem::path cache_folder();

/// The list that ships, then that of the file $OCELLUS_PUBLISHED, then those of `more`. An item
/// takes the place of an earlier one of its name, so that a list can name a mirror. Throws
/// DataError on a list that is not as docs/formats.md says.
OCELLUS_API std::vector<Published> published_items(
    const std::vector<std::filesystem::path>& more = {});

/// The item's folder in the cache. Throws DataError "cifar10: not in the cache; run: ocellus fetch
/// cifar10" where files are missing, UsageError where no list knows the name.
OCELLUS_API std::filesystem::path published_folder(const std::string& name);

/// File with the published weights of a zoo family for these parameters: every parameter that an
/// item names must have the value that it names ("alpha", "include_top", ...); the first that fits
/// is taken. Throws as published_folder(); UsageError "vgg16: no published weights for ..." names
/// what there is.
OCELLUS_API std::filesystem::path published_weights(const std::string& architecture,
                                                    const Json& parameters);

/// Preprocessing that published weights of a zoo family were trained with, by the name of their
/// file; empty where it is not known.
OCELLUS_API std::string published_preprocessing(const std::string& architecture,
                                                const std::string& file_name);

/// ImageNet's 1000 class names in the order of the published weights ("tench", "goldfish", ...);
/// empty while they are not in the cache.
OCELLUS_API std::vector<std::string> imagenet_classes();

}  // namespace ocellus
