import { workerData } from 'node:worker_threads'
import { createPduSigner } from '../signer.ts'
import type { SignerConfig } from '../signer.ts'
import { PostgresWriter } from './postgres-writer.ts'
import type { WriterRole } from './postgres-writer.ts'
import { runWriter } from './run-writer.ts'

const { url, signer, role } = workerData as { url: string; signer: SignerConfig; role: WriterRole }
await runWriter(() => PostgresWriter.open(url, createPduSigner(signer), role))
