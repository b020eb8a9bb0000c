const { availableParallelism } = require('node:os');

/** Tests run on real servers: test/setup/global-setup.ts starts them once for the whole run. */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { target: 'es2022', parser: { syntax: 'typescript', decorators: false } },
        sourceMaps: 'inline',
        module: { type: 'commonjs' },
      },
    ],
  },
  globalSetup: '<rootDir>/test/setup/global-setup.ts',
  globalTeardown: '<rootDir>/test/setup/global-teardown.ts',
  testSequencer: '<rootDir>/jest.sequencer.js',
  testTimeout: 60_000,
  // More than two suites a processor, since most of what a suite does is wait: four left a fifth of two processors idle.
  maxWorkers: Math.min(2 * availableParallelism(), 4) + 1,
};
