import type { RunCommand } from "../session.ts";
import { takeBackup } from "../take-backup.ts";

export const full: RunCommand = async (session) => takeBackup(session, null);
