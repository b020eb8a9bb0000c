/**
 * `npm run screenshots`: the pictures of docs/web-ui.md, taken of the real Temporal Web UI by a headless Chromium over a stack of
 * its own on free ports, which leaves nothing. The browser: CHROMIUM_PATH, or the first of a few names on the PATH.
 */
import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';
import type { Page } from 'playwright-core';
import { ROOT, temporaryDataDir } from '../stack/paths';
import { startStack } from '../stack/stack';
import type { Stack } from '../stack/stack';
import { done, failed, note } from '../terminal';
import { closedShop, setScene } from './scene';
import type { Scene } from './scene';

const FOLDER = join(ROOT, 'docs', 'images');
const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const VIEWPORT = { width: 1_740, height: 880 };
const MAX_BYTES = 200 * 1_024;
/** What the page still loads and draws after its first text. */
const SETTLE_MS = 2_000;

/** @throws Error that says what to do */
function browserPath(): string {
  const { CHROMIUM_PATH: named, PATH = '' } = process.env;
  const candidates = named
    ? [named]
    : PATH.split(delimiter).flatMap((folder) => BROWSERS.map((name) => join(folder, name)));
  const path = candidates.find((candidate) => {
    try {
      accessSync(candidate, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (path === undefined) throw new Error('No Chromium was found: install one, or name it in CHROMIUM_PATH.');
  return path;
}

/** What an operator's browser remembers: the views of docs/web-ui.md, and the columns of the list. */
function remembered(namespace: string, merchantId: string): Readonly<Record<string, string>> {
  const open = `WorkflowType = 'preAuth' AND ExecutionStatus = 'Running'`;
  const views = [
    ['What needs attention', 'HoldfastNeedsAttention = true'],
    ['Open holds of a merchant', `${open} AND HoldfastMerchant = '${merchantId}'`],
    ['Large holds', `${open} AND HoldfastCurrency = 'USD' AND HoldfastAmount >= 100000`],
    ['Refunds on their way', `WorkflowType = 'refund' AND ExecutionStatus = 'Running'`],
    ['Webhooks in retry', `WorkflowType = 'webhookDelivery' AND ExecutionStatus = 'Running'`],
  ].map(([name, query], id) => ({ id: String(id), name, query, type: 'user' }));
  const attributes = ['Number', 'Order', 'Status', 'Amount', 'NeedsAttention'];
  const columns = ['Status', 'Type', ...attributes.map((name) => `Holdfast${name}`)];
  return {
    'saved-workflow-queries': JSON.stringify({ [namespace]: views }),
    'namespace-workflow-table-columns': JSON.stringify({ [namespace]: columns.map((label) => ({ label })) }),
  };
}

interface Picture {
  readonly name: string;
  readonly url: string;
  /** A text that is there when the page is. */
  readonly shows: string;
  /** The text stands in a frame of the page, as Markdown does. */
  readonly inFrame?: true;
}

async function shoot(page: Page, { name, url, shows, inFrame }: Picture): Promise<void> {
  await page.goto(url);
  const place = inFrame === true ? page.frameLocator('iframe').last() : page;
  await place.getByText(shows).first().waitFor();
  await page.waitForTimeout(SETTLE_MS);
  const path = join(FOLDER, `${name}.png`);
  await page.screenshot({ path });
  const { size } = statSync(path);
  if (size > MAX_BYTES) throw new Error(`${name}.png has ${size} bytes, more than ${MAX_BYTES}`);
  done(`docs/images/${name}.png, ${Math.round(size / 1_024)} KiB`);
}

async function takeAll({ ports, environment }: Stack, scene: Scene): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  const browser = await chromium.launch({ executablePath: browserPath(), args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage({ viewport: VIEWPORT, colorScheme: 'light', timezoneId: 'UTC' });
    const namespace = environment['TEMPORAL_NAMESPACE'] ?? 'default';
    const items = JSON.stringify(remembered(namespace, scene.merchantId));
    await page.addInitScript({ content: `Object.assign(localStorage, ${items})` });
    const workflows = `http://127.0.0.1:${ports.temporalUi}/namespaces/${namespace}/workflows`;
    const of = ({ workflowId, runId }: Scene['hold']) =>
      `${workflows}/${encodeURIComponent(workflowId)}/${runId}`;
    const query = encodeURIComponent(`HoldfastMerchant = '${scene.merchantId}'`);
    const pictures: Picture[] = [
      { name: 'web-ui-list', url: `${workflows}?query=${query}`, shows: 'ROOM-307' },
      {
        name: 'web-ui-hold',
        url: `${of(scene.hold)}/user-metadata`,
        shows: 'What you can do',
        inFrame: true,
      },
      { name: 'web-ui-steps', url: `${of(scene.hold)}/timeline`, shows: 'readHold' },
      {
        name: 'web-ui-webhook',
        ...{ url: `${of(scene.webhook)}/user-metadata`, shows: 'What you can do', inFrame: true },
      },
    ];
    for (const picture of pictures) await shoot(page, picture);
  } finally {
    await browser.close();
  }
}

async function main(): Promise<void> {
  // Said before a stack is started for nothing.
  browserPath();
  const shop = await closedShop();
  const stack = await startStack({
    dataDir: temporaryDataDir('screenshots'),
    ports: 'free',
    temporary: true,
    environment: {
      // The pictures are of the Web UI, not of its codec: the sandboxes' data need no encryption.
      HOLDFAST_PAYLOAD_ENCRYPTION: 'false',
      // Long enough that the webhook still waits when its picture is taken.
      WEBHOOK_INITIAL_BACKOFF: '5',
      ...{ CHANNEL_TIMEOUT: '2', CHANNEL_SLOW_TIMEOUT: '4', LOG_LEVEL: 'warn' },
    },
    report: (line) => note(line),
  });
  try {
    await takeAll(stack, await setScene(stack, shop.url));
  } finally {
    await stack.stop();
    shop.close();
  }
}

main().catch((error: unknown) => {
  failed((error as Error).message);
  process.exitCode = 1;
});
