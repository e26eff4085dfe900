import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import type { Session } from '../http/endpoint.ts'

/**
 * Which membership events each device was told lately, so that lazily loaded members are not repeated in every
 * sync. Forgetting is harmless: the client is told once more.
 */
export interface ToldMembers {
  /** Whether the device has to be told this membership event; notes that it was. */
  shouldTell(session: Session, member: StoredEvent): boolean
  /** The device starts anew: what it was told before no longer counts. */
  forget(session: Session): void
}

/** Members remembered per device and room; a device in a larger room is told some again. */
const MAX_MEMBERS = 1_000

function deviceKey(session: Session): string {
  return `${session.userId}|${session.deviceId ?? ''}`
}

/** Costs a share of the memory budget. */
export function createToldMembers(budget: MemoryBudget): ToldMembers {
  const told = budget.cache({
    name: 'told_members',
    share: 0.03,
    weigh: (members: Map<string, string>) => 200 + members.size * 160,
  })
  return {
    shouldTell(session, member) {
      const key = deviceKey(session)
      const members = told.get(key) ?? new Map<string, string>()
      const slot = `${member.roomNid}|${member.stateKey ?? ''}`
      if (members.get(slot) === member.eventId) return false
      members.set(slot, member.eventId)
      if (members.size > MAX_MEMBERS) members.delete(members.keys().next().value!)
      told.set(key, members)
      return true
    },
    forget: (session) => void told.delete(deviceKey(session)),
  }
}
