/** What each server of the stack is started with. */
import type { Server } from './processes';

export interface ServerOptions {
  /** Folder of the whole stack; a server keeps its data in a folder of its own below. */
  readonly dataDir: string;
  readonly port: number;
  /** Told what takes long, in one line. */
  readonly report: (line: string) => void;
  /** What the caller's environment says (PATH, TEMPORAL_CLI, XDG_CACHE_HOME). */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly onUnexpectedExit?: (server: Server, how: string) => void;
}
