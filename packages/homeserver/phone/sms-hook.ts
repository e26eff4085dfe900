import { isIP } from 'node:net'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { AddressPurpose } from '@causeway/store/tables/address-sessions.ts'
import type { Logger } from '../ops/log.ts'
import { OutgoingTimeout, type Outgoing, type OutgoingAnswer } from '../outgoing/outgoing.ts'
import type { SmsConfig } from '../sms-options.ts'

/** What the operator's program is sent: see docs/operate/sms.md. */
export interface TextMessage {
  /** The same when the message is handed over again, since nobody knows whether it was taken. */
  readonly id: string
  /** With the plus. */
  readonly to: string
  readonly text: string
  readonly purpose: AddressPurpose
  /** What the text is about; none where it says that the number belongs to an account already. */
  readonly code?: string
}

/** The hook says that this number cannot be sent anything. */
export class SmsRefused extends Error {
  override readonly name = 'SmsRefused'
}

/** It was not handed over, whoever it was for. */
export class SmsFailed extends Error {
  override readonly name = 'SmsFailed'
}

export interface SmsHookDeps {
  readonly config: SmsConfig
  /** That connects to private addresses, too: the address is the operator's. */
  readonly outgoing: Outgoing
  readonly clock: Pick<Clock, 'sleep'>
  readonly logger: Logger
}

/** Before the second and the third try; people wait meanwhile. */
const DELAYS_MS = [1_000, 4_000]
/** What the hook says of the message, and not of itself. */
const REFUSALS = new Set([400, 422])

function post({ config, outgoing }: SmsHookDeps, message: TextMessage, signal: AbortSignal) {
  const url = new URL(config.url!)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const plain = url.protocol === 'http:'
  return outgoing.send({
    host,
    port: url.port === '' ? (plain ? 80 : 443) : Number(url.port),
    tlsName: isIP(host) === 0 ? host.replace(/\.$/, '') : host,
    plain,
    method: 'POST',
    path: url.pathname + url.search,
    headers: {
      host: url.host,
      'content-type': 'application/json',
      'user-agent': 'Causeway',
      ...(config.token === undefined ? {} : { authorization: `Bearer ${config.token}` }),
    },
    body: JSON.stringify(message),
    timeoutMs: config.timeout,
    signal,
  })
}

/** What went wrong, and whether another try could go better. A message that may be on its way is not sent twice. */
function faultOf(
  outcome: OutgoingAnswer | Error,
): { readonly error: Error; readonly again: boolean } | undefined {
  if (outcome instanceof Error) return { error: outcome, again: !(outcome instanceof OutgoingTimeout) }
  const { status } = outcome
  if (status >= 200 && status < 300) return undefined
  const text = `the hook answered with status ${status}`
  if (REFUSALS.has(status)) return { error: new SmsRefused(text), again: false }
  return { error: new SmsFailed(text), again: status === 429 || status >= 500 }
}

/**
 * Hands a message to the operator's program, and tries again where that is safe and of use. What goes wrong is logged
 * without the number. @throws SmsRefused, SmsFailed
 */
export async function handToHook(
  deps: SmsHookDeps,
  message: TextMessage,
  signal: AbortSignal,
): Promise<void> {
  for (const delay of [...DELAYS_MS, undefined]) {
    const outcome = await post(deps, message, signal).catch((error: Error) => error)
    if (!(outcome instanceof Error)) outcome.body.destroy()
    const fault = faultOf(outcome)
    if (fault === undefined) return
    const { error } = fault
    const again = fault.again && delay !== undefined && !signal.aborted
    deps.logger.warn('a text message could not be handed to the hook', { id: message.id, again, error })
    if (!again) throw error instanceof SmsRefused ? error : new SmsFailed(error.message, { cause: error })
    await deps.clock.sleep(delay, signal)
  }
}
