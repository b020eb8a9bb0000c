/** Ports: the fixed ones of `npm start`, with the variable that changes each, and free ones for tests. */
import { createServer } from 'node:net';
import { randomInt } from 'node:crypto';
import { StackError } from './errors';

const PORTS = {
  api: { what: 'the API', variable: 'API_PORT', fallback: 40005 },
  workerHealth: { what: "the worker's health", variable: 'WORKER_HEALTH_PORT', fallback: 40006 },
  webhooksHealth: {
    what: "the webhook worker's health",
    variable: 'HOLDFAST_WEBHOOKS_HEALTH_PORT',
    fallback: 40007,
  },
  postgres: { what: 'PostgreSQL', variable: 'DB_PORT', fallback: 40432 },
  redis: { what: 'Redis', variable: 'REDIS_PORT', fallback: 40379 },
  temporal: { what: 'Temporal', variable: 'HOLDFAST_TEMPORAL_PORT', fallback: 40733 },
  temporalUi: { what: "Temporal's Web UI", variable: 'HOLDFAST_TEMPORAL_UI_PORT', fallback: 40833 },
  codec: { what: 'the codec server', variable: 'CODEC_PORT', fallback: 40010 },
  sandbox: { what: 'the Stripe sandbox', variable: 'HOLDFAST_SANDBOX_PORT', fallback: 40111 },
  paypal: { what: 'the PayPal sandbox', variable: 'HOLDFAST_PAYPAL_PORT', fallback: 40112 },
  alipay: { what: 'the Alipay sandbox', variable: 'HOLDFAST_ALIPAY_PORT', fallback: 40113 },
  btcpay: { what: 'the BTCPay sandbox', variable: 'HOLDFAST_BTCPAY_PORT', fallback: 40114 },
  receiver: { what: 'the webhook receiver', variable: 'HOLDFAST_RECEIVER_PORT', fallback: 40099 },
} as const;

export type PortName = keyof typeof PORTS;
export type StackPorts = Record<PortName, number>;

const LOOPBACK = '127.0.0.1';
// Below the range the system takes for outgoing connections: a port of ours that is free for a moment, because its
// server was just killed, must not be taken by one of its own reconnecting clients.
const FREE_FROM = 20_000;
const FREE_TO = 32_000;
const FREE_TRIES = 200;

function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: LOOPBACK, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** A port nobody listens on now, and that this process has not given out before. */
const givenOut = new Set<number>();
export async function freePort(): Promise<number> {
  for (let i = 0; i < FREE_TRIES; i += 1) {
    const port = randomInt(FREE_FROM, FREE_TO);
    if (givenOut.has(port) || !(await isPortFree(port))) continue;
    givenOut.add(port);
    return port;
  }
  throw new StackError(`No free port was found between ${FREE_FROM} and ${FREE_TO}.`);
}

/** @throws StackError with a sentence naming the port and the variable to change when somebody listens on it */
export async function assertPortFree(name: PortName, port: number): Promise<void> {
  await assertPortsFree([name], { [name]: port });
}

/** All at once, so that nobody meets the taken ones one start after the other. @throws StackError naming each */
export async function assertPortsFree(
  names: readonly PortName[],
  ports: Readonly<Partial<StackPorts>>,
): Promise<void> {
  const taken: PortName[] = [];
  for (const name of names) if (!(await isPortFree(ports[name] ?? 0))) taken.push(name);
  const [first] = taken;
  if (first === undefined) return;
  const each = taken.map((name) => `${ports[name]} (${PORTS[name].what}, ${PORTS[name].variable})`);
  const what = taken.length === 1 ? `Port ${each[0]} is` : `The ports ${each.join(', ')} are`;
  const { variable } = PORTS[first];
  throw new StackError(
    `${what} taken by another program: stop that program, or choose another port with the variable named, for example ` +
      `${variable}=${(ports[first] ?? 0) + 1000} npm start.`,
  );
}

export async function choosePorts(
  kind: 'default' | 'free',
  environment: Readonly<Record<string, string | undefined>>,
): Promise<StackPorts> {
  const ports: Partial<StackPorts> = {};
  for (const name of Object.keys(PORTS) as PortName[]) {
    ports[name] = kind === 'free' ? await freePort() : readPort(name, environment[PORTS[name].variable]);
  }
  return ports as StackPorts;
}

function readPort(name: PortName, text: string | undefined): number {
  if (text === undefined || text === '') return PORTS[name].fallback;
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port <= 65_535) return port;
  throw new StackError(`${PORTS[name].variable} must be a port between 1 and 65535, not "${text}".`);
}
