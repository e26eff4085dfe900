import { workerData } from 'node:worker_threads'
import { openSqliteWriter } from '../sqlite-connection.ts'
import { createPduSigner } from '../signer.ts'
import type { SignerConfig } from '../signer.ts'
import { runWriter } from './run-writer.ts'
import { SqliteWriter } from './sqlite-writer.ts'

const { path, signer } = workerData as { path: string; signer: SignerConfig }
await runWriter(() => new SqliteWriter(openSqliteWriter(path), createPduSigner(signer)))
