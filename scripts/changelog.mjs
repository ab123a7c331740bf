// Reads and edits CHANGELOG.md, whose form is that of Keep a Changelog (https://keepachangelog.com/en/1.1.0/).

const UNRELEASED = "## [Unreleased]";

/** The section of a version, or of "Unreleased", without its heading; undefined if there is no such section. */
export function sectionOf(changelog, version) {
  const sections = changelog.split(/^## /m).slice(1);
  const section = sections.find((text) => text.startsWith(`[${version}]`));
  return section?.slice(section.indexOf("\n")).trim();
}

/** Whether a section lists a change. Headings such as "Added" do not count. */
export function hasEntries(section) {
  return /^- \S/m.test(section ?? "");
}

/** Moves the unreleased changes to a new section for the version. The date is in the form 2026-11-26. */
export function released(changelog, version, date) {
  return changelog.replace(UNRELEASED, `${UNRELEASED}\n\n## [${version}] - ${date}`);
}
