import type { RunCommand } from "../session.ts";
import { takeBackup } from "../take-backup.ts";

export const incremental: RunCommand = async (session) => {
  const { base, requireBase } = session.settings;
  return takeBackup(session, { base, requireBase });
};
