// Test support: a process that writes once, and once more when told to; what becomes of that, it does not live to see.
import { once } from 'node:events'
import { systemClock, systemRandom } from '../../clock/system.ts'
import { suiteMigrations, suiteSigner, thing } from '../conformance/fixture.ts'
import { openDatabase } from '../open.ts'

const deps = { clock: systemClock, random: systemRandom, signer: suiteSigner, migrations: suiteMigrations }
const db = await openDatabase({ kind: 'postgres', url: process.argv[2]! }, deps)
// The driver has prepared its statements then, and sends a batch whole, with its COMMIT.
await db.commit(thing('before'))
process.stdout.write('ready\n')
await once(process.stdin, 'data')
void db.commit(thing('of the killed'))
