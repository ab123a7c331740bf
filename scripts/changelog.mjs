// Reads and edits CHANGELOG.md, whose form is that of Keep a Changelog (https://keepachangelog.com/en/1.1.0/).

const UNRELEASED = "## [Unreleased]";

/** What stands between the heading of a version, or of "Unreleased", and the next one; undefined without that heading. */
export function sectionOf(changelog, version) {
  const sections = changelog.split(/^## /m).slice(1);
  const section = sections.find((text) => text.startsWith(`[${version}]`));
  return section?.slice(section.indexOf("\n")).trim();
}

/** Whether a section names a change. A heading such as "Added" alone does not. */
export function hasEntries(section) {
  return /^- \S/m.test(section ?? "");
}

/** Gives the unreleased changes to a version, of a date such as 2026-11-26, and leaves "Unreleased" empty. */
export function released(changelog, version, date) {
  return changelog.replace(UNRELEASED, `${UNRELEASED}\n\n## [${version}] - ${date}`);
}
