/**
 * Tells relays that the outbox has something new, sooner than they would look. Rung after the commit, on a connection
 * of its own: a transaction that notifies takes a lock over the whole cluster while it commits. A lost ring costs a
 * second, because relays poll besides.
 */
import { Client } from 'pg';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/config';
import type { Logger } from '../observability/logger';
import type { Database } from './postgres';

const CHANNEL = 'holdfast_outbox';
const DEBOUNCE_MS = 2;
const RECONNECT_MS = 1_000;

/** Rings at most every few milliseconds, however often it is called. Never throws and never waits. */
export function createOutboxBell(db: Database): () => void {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    setTimeout(() => {
      isDue = false;
      // PostgreSQL being away is noticed by whoever needs more of it than this.
      db.query(`NOTIFY ${CHANNEL}`).catch(() => undefined);
    }, DEBOUNCE_MS).unref();
  };
}

type ListenerConfig = Pick<Config, 'DB_HOST' | 'DB_PORT' | 'DB_USER' | 'DB_PASSWORD' | 'DB_NAME' | 'DB_SSL'>;

/**
 * Listens for the bell, connecting again whenever the connection is lost.
 * @returns how to stop
 */
export function listenToOutbox(config: ListenerConfig, log: Logger, onNews: () => void): () => Promise<void> {
  let isStopped = false;
  let client: Client | undefined;

  async function keepListening(): Promise<void> {
    while (!isStopped) {
      try {
        await listenOnce();
      } catch (error) {
        log.warn({ err: error }, 'the outbox bell cannot be heard; the relay polls meanwhile');
      }
      if (!isStopped) await sleep(RECONNECT_MS);
    }
  }

  /** Resolves when the connection has ended. */
  async function listenOnce(): Promise<void> {
    const connection = new Client({
      host: config.DB_HOST,
      port: config.DB_PORT,
      user: config.DB_USER,
      password: config.DB_PASSWORD,
      database: config.DB_NAME,
      ssl: config.DB_SSL,
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
    });
    client = connection;
    const ended = new Promise<void>((resolve) => {
      connection.on('error', () => resolve());
      connection.on('end', () => resolve());
    });
    connection.on('notification', () => onNews());
    await connection.connect();
    await connection.query(`LISTEN ${CHANNEL}`);
    // What was written while nobody listened.
    onNews();
    await ended;
    await connection.end().catch(() => undefined);
  }

  void keepListening();
  return async () => {
    isStopped = true;
    await client?.end().catch(() => undefined);
  };
}
