import fc from 'fast-check'

// Loaded before every test file. Property tests draw from one seed, so that `npm test` says the same of the same
// code twice; `CAUSEWAY_PROPERTY_SEED=random npm test` looks further, and prints the seed of what it finds.
const asked = process.env['CAUSEWAY_PROPERTY_SEED'] ?? '1'
if (asked !== 'random') fc.configureGlobal({ seed: Number(asked) })
