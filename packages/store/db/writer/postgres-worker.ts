import { workerData } from 'node:worker_threads'
import { createPduSigner } from '../signer.ts'
import type { SignerConfig } from '../signer.ts'
import { PostgresWriter } from './postgres-writer.ts'
import { runWriter } from './run-writer.ts'

const { url, signer } = workerData as { url: string; signer: SignerConfig }
await runWriter(() => PostgresWriter.open(url, createPduSigner(signer)))
