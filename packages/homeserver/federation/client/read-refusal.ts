import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { isJsonObject, parseJson } from '@causeway/matrix/json/parse.ts'
import type { OutgoingAnswer } from '../../outgoing/outgoing.ts'
import { readBody } from '../../outgoing/read-body.ts'
import type { FederationFailure } from '../federation-client.ts'

/** Errors are short; some carry what is needed to go on, such as the versions of a room. */
const MAX_ERROR_BYTES = 64 * 1024
const MAX_SENTENCE = 500

async function readObject(answer: OutgoingAnswer): Promise<JsonObject | undefined> {
  try {
    const value = parseJson(await readBody(answer.body, MAX_ERROR_BYTES))
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** What another server said when it said no. */
export async function readRefusal(
  answer: OutgoingAnswer,
): Promise<Extract<FederationFailure, { kind: 'refused' }>> {
  const body = await readObject(answer)
  const errcode = body?.['errcode']
  const error = body?.['error']
  return {
    kind: 'refused',
    status: answer.status,
    errcode: typeof errcode === 'string' ? errcode : undefined,
    error: typeof error === 'string' ? error.slice(0, MAX_SENTENCE) : undefined,
    body,
  }
}
