import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { Terminal } from '../command.ts'
import { formatCell } from './format-result.ts'

/** Work that goes on in the server after its command was answered, as `job show` shows it. */
interface JobAnswer extends JsonObject {
  readonly job: string
  /** Null while it goes on. */
  readonly finished: JsonValue
}

const LOOK_EVERY_MS = 500

/** Whether a command has begun work that takes long. */
export function isJob(answer: JsonValue): answer is JobAnswer {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return false
  return typeof answer['job'] === 'string' && 'finished' in answer
}

/** Whether a job has ended without having been done. */
export function wasGivenUp(answer: JsonValue): boolean {
  return isJob(answer) && answer.finished !== null && answer['reason'] !== undefined
}

/**
 * Waits for a job's end and says, beside the results, how far it gets. The server goes on by itself, whoever waits.
 * @param show asks the server
 * @returns what the job came to, with what the command had answered
 */
export async function followJob(
  terminal: Pick<Terminal, 'err'>,
  begun: JobAnswer,
  show: (job: string) => Promise<JsonValue>,
  clock: Pick<Clock, 'sleep'>,
): Promise<JsonValue> {
  terminal.err(`The server works on it as job ${begun.job}, also when you stop waiting here.\n`)
  let [job, said] = [begun, '-']
  while (job.finished === null) {
    const progress = formatCell(job['progress'])
    if (progress !== said) terminal.err(`  ${progress}\n`)
    said = progress
    await clock.sleep(LOOK_EVERY_MS)
    const answer = await show(begun.job)
    if (!isJob(answer)) return answer
    job = { ...begun, ...answer }
  }
  return job
}
