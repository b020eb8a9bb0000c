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
  // Two suites a processor, since most of what a suite does is wait; with more than four of them services start too late.
  maxWorkers: Math.min(2 * availableParallelism(), 4),
};
