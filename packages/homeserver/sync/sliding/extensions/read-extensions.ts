import type { UserRoom } from '../../../rooms/membership-index.ts'
import { Told } from '../connection.ts'
import type { SlidingContext } from '../context.ts'
import { readAccountData } from './account-data.ts'
import { readE2ee } from './e2ee.ts'
import type { ExtensionResult } from './extension.ts'
import { readReceipts } from './receipts.ts'
import { roomsInScope, sortByTold, type AnsweredRooms } from './scope.ts'
import { readStickyEvents } from './sticky-events.ts'
import { readThreadSubscriptions } from './thread-subscriptions.ts'
import { readToDevice } from './to-device.ts'
import { readTyping } from './typing.ts'

export interface ExtensionResults {
  /** The object of all of them. */
  readonly text: string
  readonly isNews: boolean
  /** What beside events the client will have been told of a room (`Told`), by room number. */
  readonly told: ReadonlyMap<number, number>
}

/** What is told beside the rooms: only what is asked for. */
export async function readExtensions(
  ctx: SlidingContext,
  answered: AnsweredRooms,
): Promise<ExtensionResults> {
  const { toDevice, e2ee, accountData, receipts, typing } = ctx.request.extensions
  const { threadSubscriptions, stickyEvents } = ctx.request.extensions
  const told = new Map<number, number>()
  const note = (rooms: readonly UserRoom[], bit: number): readonly UserRoom[] => {
    for (const { roomNid } of rooms) told.set(roomNid, (told.get(roomNid) ?? 0) | bit)
    return rooms
  }
  const results = new Map<string, ExtensionResult>()
  if (toDevice !== undefined) results.set('to_device', await readToDevice(ctx, toDevice))
  if (e2ee) results.set('e2ee', await readE2ee(ctx))
  if (accountData !== undefined) {
    const rooms = note(roomsInScope(answered, accountData), Told.accountData)
    const scoped = sortByTold(ctx, answered, rooms, Told.accountData, false)
    results.set('account_data', await readAccountData(ctx, scoped))
  }
  if (receipts !== undefined) {
    const rooms = note(roomsInScope(answered, receipts), Told.receipts)
    const scoped = sortByTold(ctx, answered, rooms, Told.receipts, true)
    results.set('receipts', await readReceipts(ctx, answered, scoped))
  }
  if (typing !== undefined) results.set('typing', readTyping(ctx, answered, roomsInScope(answered, typing)))
  if (threadSubscriptions !== undefined) {
    const name = 'io.element.msc4308.thread_subscriptions'
    results.set(name, await readThreadSubscriptions(ctx, threadSubscriptions))
  }
  if (stickyEvents !== undefined) {
    const name = 'org.matrix.msc4354.sticky_events'
    results.set(name, await readStickyEvents(ctx, answered, stickyEvents))
  }
  const parts = [...results].map(([name, { text }]) => `"${name}":${text}`)
  return {
    text: `{${parts.join(',')}}`,
    isNews: [...results.values()].some(({ isNews }) => isNews),
    told,
  }
}
