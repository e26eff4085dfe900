import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { AnswerThirdParty } from '../third-party/question.ts'
import type { AppserviceClient } from './outbound.ts'

/** What a transaction holds. https://spec.matrix.org/v1.19/application-service-api/#put_matrixappv1transactionstxnid */
export interface AppserviceTransaction {
  readonly events: readonly JsonObject[]
  readonly ephemeral: readonly JsonObject[]
}

/** An appservice that lives in this process. A rejection is a failed delivery: the same comes again later. */
export interface InProcessReceiver {
  /** Resolves when the transaction was durably taken in. One that is not acknowledged comes again, unchanged, under its id. */
  deliver(txnId: string, transaction: AppserviceTransaction): Promise<void>
  /** Makes a user that somebody wants to reach, if it stands for anybody. */
  queryUser?(userId: string): Promise<boolean>
  /** Makes a room that somebody wants to enter by its alias, if it stands for anything. */
  queryAlias?(alias: string): Promise<boolean>
  /** What it knows of its networks. */
  readonly thirdParty?: AnswerThirdParty
}

/** The receivers of appservices of this process, which may be attached at any time after the start. */
export interface Receivers {
  attach(appserviceId: string, receiver: InProcessReceiver): void
  clientOf(appserviceId: string): AppserviceClient
}

function parseTransaction(body: string): AppserviceTransaction {
  const { events, ephemeral } = JSON.parse(body) as { events: JsonObject[]; ephemeral?: JsonObject[] }
  return { events, ephemeral: ephemeral ?? [] }
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const fail = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
    if (signal.aborted) fail()
    else signal.addEventListener('abort', fail, { once: true })
  })
}

interface Slot {
  readonly attached: PromiseWithResolvers<void>
  receiver: InProcessReceiver | undefined
}

export function createReceivers(): Receivers {
  const slots = new Map<string, Slot>()
  const slotOf = (id: string): Slot => {
    const slot = slots.get(id) ?? { attached: Promise.withResolvers<void>(), receiver: undefined }
    slots.set(id, slot)
    return slot
  }
  return {
    attach(appserviceId, receiver) {
      const slot = slotOf(appserviceId)
      slot.receiver = receiver
      slot.attached.resolve()
    },
    clientOf(appserviceId) {
      const slot = slotOf(appserviceId)
      return {
        async putTransaction(txnId, body, signal) {
          const stopped = rejection(signal)
          // Nobody may be listening any more when it stops.
          stopped.catch(() => undefined)
          await Promise.race([slot.attached.promise, stopped])
          await Promise.race([slot.receiver!.deliver(txnId, parseTransaction(body)), stopped])
        },
        queryUser: async (userId) => (await slot.receiver?.queryUser?.(userId)) ?? false,
        queryAlias: async (alias) => (await slot.receiver?.queryAlias?.(alias)) ?? false,
        ping: async () => undefined,
        thirdParty: async (question) => slot.receiver?.thirdParty?.(question),
      }
    },
  }
}
