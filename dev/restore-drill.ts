/**
 * `npm run drill:restore`: PostgreSQL is backed up while holds are open and webhooks wait, everything is destroyed, and
 * it is restored in four ways: to the last commit; Temporal older than the gateway; the gateway older than Temporal; both
 * to the base backup only.
 * The channel (the sandbox) is the world outside: it is never restored, and its books judge.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Client as TemporalClient, Connection } from '@temporalio/client';
import { archiveWal, backupFolder, copy, finishSegment, restore, takeBaseBackup } from './drill/base-backup';
import { Town, eventually, notifications } from './drill/town';
import { cancelHold, captureHold, UnexpectedAnswer } from './demo-client';
import type { Hold } from './demo-client';
import { CORE_PARTS } from './stack/parts';
import { temporaryDataDir } from './stack/paths';
import { freePort } from './stack/ports';
import { postgresHome } from './stack/postgres-home';
import type { PostgresHome } from './stack/postgres-home';
import { startPostgres } from './stack/postgres';
import { NAMESPACE, readPasswords, startProdLike } from './stack/prod-like';
import type { ProdLike } from './stack/prod-like';
import type { Server } from './stack/processes';
import { startTemporalServer } from './stack/temporal-server';
import { bold, done, failed, note, took } from './terminal';

const CAPTURED = 32_000;
/** So that what heals by itself does so while somebody looks on. */
const ENVIRONMENT = {
  PICKUP_INTERVAL: '5',
  RECONCILE_INTERVAL: '10',
  WEBHOOK_GATE_WINDOW: '3600',
  LOG_LEVEL: 'warn',
};

interface Drill {
  readonly shape: ProdLike;
  readonly town: Town;
  readonly dataDir: string;
  readonly home: PostgresHome;
  readonly backup: string;
}

let wrong = 0;
function check(isTrue: boolean, what: string, seen = ''): void {
  if (!isTrue) wrong += 1;
  (isTrue ? done : failed)(`${what}${seen === '' ? '' : `: ${seen}`}`);
}

async function main(): Promise<void> {
  console.log(`\n${bold('Backup, loss and restoration')}\n`);
  const dataDir = temporaryDataDir('drill');
  const shape = await startProdLike({
    ...{ dataDir, ports: 'free', temporary: true, headlessUi: true, only: CORE_PARTS },
    environment: ENVIRONMENT,
    report: (line) => note(line),
    prepare: async ({ postgres }) => {
      const home = postgresHome(join(dataDir, 'servers'), note);
      await archiveWal(postgres, backupFolder(dataDir, home));
    },
  });
  const home = postgresHome(join(dataDir, 'servers'), note);
  const town = await Town.open(shape);
  try {
    await play({ shape, town, dataDir, home, backup: backupFolder(dataDir, home) });
  } finally {
    town.close();
    await shape.stop();
  }
}

async function play(drill: Drill): Promise<void> {
  const { shape, town, home, backup } = drill;
  const { apiUrl, merchant } = town;
  const capture = (hold: Hold) => captureHold(apiUrl, merchant.apiKey, hold, CAPTURED);
  const held: Hold[] = [];
  for (let i = 0; i < 6; i += 1) held.push(await town.hold());
  const [early, later, cancelled, toCapture, forStale, forgotten] = held as [
    Hold,
    Hold,
    Hold,
    Hold,
    Hold,
    Hold,
  ];
  await capture(early);
  let since = Date.now();
  await takeBaseBackup(shape.servers.postgres, home, backup);
  done(`base backup of the whole server while it served (${took(since)}): 5 holds open, 1 captured`);
  await capture(later);
  await cancelHold(apiUrl, merchant.apiKey, cancelled);
  const made = await town.hold();
  await finishSegment(shape.servers.postgres, backup);
  const before = await notifications(shape.servers.postgres);
  note(`afterwards 1 captured, 1 released, 1 new; ${before.waiting} of ${before.all} notifications wait`);

  console.log(`\n  ${bold('1. Everything is lost; restored to the last commit')}\n`);
  since = Date.now();
  await destroy(drill);
  restore(backup, home, 'latest');
  await bringUp(drill);
  done(`killed, emptied, restored and serving again (${took(since)})`);
  const after = await notifications(shape.servers.postgres);
  check(after.all === before.all, 'notifications', `${after.all} of ${before.all}, ${after.waiting} wait`);
  await agree(town, 'rows and the channel', [...held, made]);
  town.answers = 200;
  await capture(toCapture);
  await capture(made);
  await agree(town, 'captured afterwards', [toCapture, made]);
  check(
    await eventually(async () => (await notifications(shape.servers.postgres)).waiting === 0),
    'all notifications were taken in the end',
    `${new Set(town.taken).size} different, ${town.taken.length} in all`,
  );

  await playOlderTemporal(drill, { later, forStale });

  await playOlderGateway(drill, { held, later, cancelled, toCapture });

  console.log(`\n  ${bold('4. Everything is lost; only the base backup is there')}\n`);
  since = Date.now();
  await destroy(drill);
  restore(backup, home, 'base');
  await bringUp(drill);
  done(`killed, emptied, restored and serving again (${took(since)})`);
  note(`Holdfast has forgotten: ${await stories(town, { later, cancelled, toCapture, made })}`);
  await repeatAndReconcile(town, { later, cancelled, toCapture });
  await capture(forgotten);
  await agree(town, 'rows and the channel', held);
  note(`at the channel alone: the hold made after the backup, ${(await town.booked(made)).told}`);
}

type Forgotten = Readonly<Record<'later' | 'cancelled' | 'toCapture', Hold>>;

/** What the gateway does not know comes back by its merchant, or by reconciliation. */
async function repeatAndReconcile(town: Town, { later, cancelled, toCapture }: Forgotten): Promise<void> {
  // Refused as closed where reconciliation was first.
  const answer = await captureHold(town.apiUrl, town.merchant.apiKey, later, CAPTURED).then(
    ({ status }) => status,
    (error: unknown) => (error instanceof UnexpectedAnswer ? error.code : Promise.reject(error as Error)),
  );
  const repeated = await town.told(later);
  const what = `a merchant who repeats a forgotten capture gets ${answer}`;
  check(repeated === `succeeded ${CAPTURED}`, what, repeated);
  check(
    await eventually(async () => (await town.told(cancelled)).startsWith('canceled')),
    'a forgotten release that nobody repeats is found by reconciliation',
    await town.told(cancelled),
  );
  check(
    await eventually(async () => (await town.told(toCapture)) === `succeeded ${CAPTURED}`),
    'a forgotten capture that nobody repeats is found by reconciliation',
    await town.told(toCapture),
  );
}

/** Two databases that are not of one instant: the workflows know less than the rows. */
async function playOlderTemporal(
  drill: Drill,
  { later, forStale }: { later: Hold; forStale: Hold },
): Promise<void> {
  const { shape, town, backup } = drill;
  console.log(`\n  ${bold('2. Temporal alone is lost; its databases come from the older base backup')}\n`);
  const since = Date.now();
  await shape.temporal.kill();
  const fill = (home: PostgresHome) => restore(backup, home, 'base');
  await withTemporalOn(drill, { folder: 'older', fill }, async () => {
    done(`serving again (${took(since)})`);
    const connection = await Connection.connect({ address: shape.given['TEMPORAL_ADDRESS'] ?? '' });
    const workflow = new TemporalClient({ connection, namespace: NAMESPACE }).workflow;
    const stale = workflow.getHandle(town.workflowId(later));
    note(`the workflow of a captured hold is ${(await stale.describe()).status.name} in the older databases`);
    await captureHold(town.apiUrl, town.merchant.apiKey, forStale, CAPTURED);
    await agree(town, 'a hold captured on it', [forStale]);
    await stale.signal('resync');
    check(
      await eventually(async () => (await stale.describe()).status.name === 'COMPLETED'),
      'the stale workflow reads the row and ends',
      (await stale.describe()).status.name,
    );
    await agree(town, 'nothing was done twice', [later]);
    await connection.close();
  });
}

/** The other way round: workflows are closed whose rows are live. */
async function playOlderGateway(
  drill: Drill,
  { held, ...forgotten }: Forgotten & { readonly held: readonly Hold[] },
): Promise<void> {
  const { shape, town, home, backup } = drill;
  console.log(`\n  ${bold('3. The gateway alone is lost; it comes from the older base backup')}\n`);
  const since = Date.now();
  for (const server of [...ours(shape), shape.servers.postgres]) await server.kill();
  const fill = (own: PostgresHome) => {
    copy(home.data, own.data);
    restore(backup, home, 'base');
  };
  await withTemporalOn(drill, { folder: 'newer', fill }, async () => {
    await shape.servers.postgres.restart();
    await Promise.all(ours(shape).map((server) => server.restart()));
    done(`serving again (${took(since)})`);
    await repeatAndReconcile(town, forgotten);
    // Captured in part 2, on a Temporal that is gone: that too is found.
    check(
      await eventually(async () => (await differing(town, held)).length === 0),
      'rows and the channel agree in the end, each call executed once',
    );
  });
}

interface OwnServer {
  readonly folder: string;
  /** Puts the data of its PostgreSQL in place. */
  readonly fill: (home: PostgresHome) => void;
}

/** Temporal on a PostgreSQL of its own, at the address at which everybody looks for it, while `work` is done. */
async function withTemporalOn(
  { shape, dataDir }: Drill,
  { folder, fill }: OwnServer,
  work: () => Promise<void>,
): Promise<void> {
  const own = join(dataDir, folder);
  fill(postgresHome(own, note));
  const options = { report: note, environment: process.env, dataDir: own };
  const postgres = await startPostgres({ ...options, port: await freePort() });
  const temporal = await startTemporalServer({
    ...options,
    ...{ port: shape.temporal.address.port, namespace: NAMESPACE, metricsPort: await freePort() },
    database: { ...postgres.address, user: 'temporal', password: readPasswords(dataDir).temporal },
  });
  try {
    await work();
  } finally {
    await temporal.kill();
    await postgres.kill();
  }
}

const ours = ({ app }: ProdLike): Server[] => [...app.apis, ...app.workers, ...app.webhooks];

/** SIGKILL to everything but the channel, and the data of PostgreSQL and Redis removed. */
async function destroy({ shape, home, dataDir }: Drill): Promise<void> {
  const { servers, temporal } = shape;
  for (const server of [...ours(shape), temporal, servers.postgres, servers.redis]) await server.kill();
  rmSync(home.data, { recursive: true, force: true });
  rmSync(join(dataDir, 'servers', 'redis'), { recursive: true, force: true });
}

async function bringUp({ shape, dataDir }: Drill): Promise<void> {
  const { servers, temporal } = shape;
  mkdirSync(join(dataDir, 'servers', 'redis'), { recursive: true });
  await Promise.all([servers.postgres.restart(), servers.redis.restart()]);
  await temporal.restart();
  await Promise.all(ours(shape).map((server) => server.restart()));
}

async function agree(town: Town, what: string, holds: readonly Hold[]): Promise<void> {
  const wrongOnes = await differing(town, holds);
  const all = `${holds.length} agree, each call executed once`;
  check(wrongOnes.length === 0, what, wrongOnes.length === 0 ? all : wrongOnes.join('; '));
}

/** Those whose status or captured amount is another one here than at the channel, or with a call of money executed twice. */
async function differing(town: Town, holds: readonly Hold[]): Promise<string[]> {
  const found: string[] = [];
  for (const hold of holds) {
    const [told, { told: booked, executed }] = [await town.told(hold), await town.booked(hold)];
    const twice = executed.length !== new Set(executed).size;
    if (told !== booked || twice)
      found.push(`${hold.pre_auth_no} ${told}, channel ${booked} (${executed.join()})`);
  }
  return found;
}

async function stories(town: Town, holds: Readonly<Record<string, Hold>>): Promise<string> {
  const parts: string[] = [];
  for (const [name, hold] of Object.entries(holds)) {
    parts.push(`${name} is ${await town.told(hold)}, channel ${(await town.booked(hold)).told}`);
  }
  return parts.join('; ');
}

main().then(
  () => {
    console.log();
    (wrong === 0 ? done : failed)(bold(wrong === 0 ? 'everything went on' : `${wrong} checks false`));
    process.exit(wrong === 0 ? 0 : 1);
  },
  (error: unknown) => {
    failed((error as Error).stack ?? String(error));
    process.exit(1);
  },
);
