import type { ScratchHost } from "../domain/scratch-host.ts";
import type { Abortable } from "./abortable.ts";

/**
 * Virtual hosts of a broker that are there to be thrown away. Only names and tags of drills are ever made, listed or removed.
 * Throws MANAGEMENT_UNREACHABLE, MANAGEMENT_REFUSED, LOGIN_REFUSED: also when the user may not do this (needs the tag `administrator`).
 */
export interface ScratchHosts {
  /** Those there are, of whatever run. */
  list(options?: Abortable): Promise<readonly ScratchHost[]>;
  /** Makes one of a new name. When it is refused, nothing was made; after any other failure that is not known. */
  create(host: ScratchHost, options?: Abortable): Promise<void>;
  /** Gives the user of the AMQP connections every permission in it. */
  permit(name: string, options?: Abortable): Promise<void>;
  /** With all that is in it. One that is not there is removed already. */
  remove(name: string, options?: Abortable): Promise<void>;
  /** Is anybody connected to it? */
  isInUse(name: string, options?: Abortable): Promise<boolean>;
  /** May the user of the AMQP connections publish messages that carry the user ids of others? */
  mayImpersonate(options?: Abortable): Promise<boolean>;
}
