/**
 * The one entry of npm start, npm test, npm run demo, soak, bench and prod-like. Plain JavaScript without
 * dependencies, because it runs before they are installed: it checks Node.js, installs what is missing and hands over.
 * Usage: node dev/start.mjs [start|demo|test|soak|bench|prod-like] [arguments...]
 */
import { spawn } from 'node:child_process';
import { existsSync, lstatSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const MIN_NODE = [20, 19];
const JEST = ['node_modules/jest/bin/jest.js'];
const TSX = ['--import', 'tsx'];

const [command = 'start', ...rest] = process.argv.slice(2);

function jestResults() {
  const file = process.env.HOLDFAST_TEST_RESULTS;
  return file ? ['--json', `--outputFile=${file}`] : [];
}

const COMMANDS = {
  start: () => [...TSX, 'dev/main.ts', ...rest],
  demo: () => [...TSX, 'dev/demo.ts', ...rest],
  test: () => [...JEST, ...jestResults(), ...rest],
  // One suite at a time: at full size each of them needs the machine, and what they promise has its times.
  soak: () => [
    ...JEST,
    ...jestResults(),
    '--runInBand',
    ...(rest.length > 0 ? rest : ['test/(chaos|e2e)/', 'test/redis/tier-limiter-model', 'test/api/fuzz']),
  ],
  bench: () => [...TSX, 'bench/main.ts', ...rest],
  'prod-like': () => [...TSX, 'dev/prod-like.ts', ...rest],
};

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1])) return;
  fail(`Holdfast needs Node.js ${MIN_NODE.join('.')} or newer; this is ${process.versions.node}.`);
}

/** npm writes node_modules/.package-lock.json last, so a broken or outdated installation shows in it. */
function isInstalled() {
  const installed = join(ROOT, 'node_modules/.package-lock.json');
  return (
    existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(ROOT, 'package-lock.json')).mtimeMs
  );
}

/** Runs a child on this terminal, passes signals on, and resolves with its exit code. */
function run(program, args, environment, onSignal) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: 'inherit', env: environment });
    const forward = (signal) => {
      onSignal?.();
      child.kill(signal);
    };
    process.on('SIGINT', forward);
    process.on('SIGTERM', forward);
    child.once('error', (error) => {
      console.error(`${program} could not be started: ${error.message}`);
      resolve(127);
    });
    child.once('exit', (code, signal) => {
      process.off('SIGINT', forward);
      process.off('SIGTERM', forward);
      resolve(code ?? 128 + (constants.signals[signal] ?? 0));
    });
  });
}

async function install() {
  if (isInstalled()) return;
  // npm ci would empty what the link points to.
  if (existsSync(join(ROOT, 'node_modules')) && lstatSync(join(ROOT, 'node_modules')).isSymbolicLink())
    return console.error('node_modules is a link to another folder: it is used as it is');
  const why = existsSync(join(ROOT, 'node_modules'))
    ? 'do not match package-lock.json'
    : 'are not installed yet';
  console.error(`The packages ${why}: running npm ci (a minute or two, once)`);
  const startedAt = Date.now();
  const progress = setInterval(() => {
    console.error(`npm ci is at work, ${Math.round((Date.now() - startedAt) / 1000)} s so far`);
  }, 10_000);
  // The very npm that started this, when there is one; without NODE_ENV=production leaving the development packages out.
  const npm = process.env.npm_execpath;
  const args = ['ci', '--include=dev', '--no-fund', '--no-audit'];
  let interrupted = false;
  const onSignal = () => {
    interrupted = true;
    clearInterval(progress);
    console.error('Stopping npm ci, a moment');
  };
  const code = npm?.endsWith('.js')
    ? await run(process.execPath, [npm, ...args], process.env, onSignal)
    : await run('npm', args, process.env, onSignal);
  clearInterval(progress);
  if (interrupted) fail('\nInterrupted while the packages were being installed; the next start begins anew.');
  if (code !== 0) fail(`npm ci failed (exit code ${code}); its messages above say why.`);
}

if (!Object.hasOwn(COMMANDS, command)) {
  fail(`There is no "${command}": choose one of ${Object.keys(COMMANDS).join(', ')}.`);
}
checkNode();
await install();
const environment = command === 'soak' ? { ...process.env, HOLDFAST_SOAK: '1' } : process.env;
process.exitCode = await run(process.execPath, COMMANDS[command](), environment);
