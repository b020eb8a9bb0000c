/** The harness itself: every test file has a migrated database of its own. */
import { withClient } from '../../dev/stack/database';
import { createTestDatabase } from '../setup/test-database';

test('two clones made at once are migrated, apart, and gone after drop', async () => {
  const [one, two] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  const count = (name: string) =>
    withClient(one.config, name, async (client) => {
      const { rows } = await client.query<{ holds: number }>('SELECT count(*)::int AS holds FROM pre_auths');
      return rows[0]?.holds;
    });
  expect(one.config.DB_NAME).not.toBe(two.config.DB_NAME);
  await withClient(one.config, one.name, (client) => client.query('DROP TABLE webhook_attempts'));
  expect(await count(two.name)).toBe(0);
  await Promise.all([one.drop(), two.drop()]);
  await expect(count(one.name)).rejects.toThrow('does not exist');
});
