import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import { startStandalone } from '../standalone.ts'
import type { StandaloneOptions } from '../standalone.ts'
import { hasten } from './world.ts'

// A hub as a process of its own, for journeys that kill it. Its options come as JSON in the first argument.

function write(level: string) {
  return (message: string, fields: Record<string, unknown> = {}): void => {
    const error = fields['error'] instanceof Error ? fields['error'].stack : undefined
    process.stderr.write(`${JSON.stringify({ level, message, ...fields, error })}\n`)
  }
}

const options = JSON.parse(process.argv[2] ?? '{}') as StandaloneOptions
await startStandalone(options, {
  ...{ clock: systemClock, random: systemRandom, adjustIrc: hasten, fetch: globalThis.fetch },
  log: { info: write('info'), warn: write('warn'), error: write('error') },
})
process.stdout.write('ready\n')
