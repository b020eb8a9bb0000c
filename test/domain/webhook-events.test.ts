import { WEBHOOK_EVENTS } from '../../src/domain/webhook/events';
import type { PreAuthEventType } from '../../src/domain/pre-auth';

test('merchants can be told of everything that happens to a hold', () => {
  const types: Record<PreAuthEventType, true> = {
    'pre_auth.authorized': true,
    'pre_auth.captured': true,
    'pre_auth.capture_failed': true,
    'pre_auth.canceled': true,
    'pre_auth.expiring': true,
    'pre_auth.expired': true,
    'pre_auth.failed': true,
  };
  expect(WEBHOOK_EVENTS.filter((type) => type.startsWith('pre_auth.')).sort()).toEqual(
    Object.keys(types).sort(),
  );
});

test('events are named object.change, each once, within the 50 characters of their column', () => {
  expect(new Set(WEBHOOK_EVENTS).size).toBe(WEBHOOK_EVENTS.length);
  expect(WEBHOOK_EVENTS.filter((type) => !/^[a-z_]+\.[a-z_]+$/.test(type) || type.length > 50)).toEqual([]);
});
