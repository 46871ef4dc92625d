/** True when `version` ("4.3.6", "4.0.5-rc.1") is at least major.minor; null when it cannot be read. */
export function atLeast(version: string, major: number, minor: number): boolean | null {
  const match = /^(\d+)\.(\d+)/.exec(version);
  if (!match) return null;
  const [, foundMajor = "", foundMinor = ""] = match;
  const difference = Number(foundMajor) - major;
  return difference === 0 ? Number(foundMinor) >= minor : difference > 0;
}
