import { deleteInboxBefore, deleteTransactionsBefore } from '@causeway/store/tables/bridge-inbox.ts'
import { deleteMessageLinksBefore } from '@causeway/store/tables/bridge-messages.ts'
import { deleteEndedBefore } from '@causeway/store/tables/bridge-outbox.ts'
import { commitSteps } from './hub-context.ts'
import type { HubContext } from './hub-context.ts'
import { refuseLink } from './links/open-link.ts'

const EVERY_MS = 3_600_000
const DAY_MS = 86_400_000

async function expireRequests(hub: HubContext): Promise<void> {
  for (const link of hub.links.all()) {
    const isExpired = hub.clock.now() - link.createdTs > hub.settings.consentMs
    if (link.state === 'consenting' && isExpired) await refuseLink(hub, link, 'Nobody answered, which')
  }
}

/** Forgets what is no longer needed: ids after a day or as long as configured, unanswered requests. */
export async function runMaintenance(hub: HubContext): Promise<void> {
  const now = hub.clock.now()
  await commitSteps(hub, [
    deleteTransactionsBefore(now - 7 * DAY_MS),
    deleteInboxBefore(now - DAY_MS),
    deleteEndedBefore(now - 7 * DAY_MS),
    deleteMessageLinksBefore(now - hub.settings.rememberMs),
  ])
  await expireRequests(hub)
}

/** Runs it every hour until the hub stops. */
export function startMaintenance(hub: HubContext): void {
  const run = (): void => {
    if (hub.signal.aborted) return
    runMaintenance(hub)
      .catch((error: unknown) => hub.log.error('cleaning up after the bridges failed', { error }))
      .finally(arm)
  }
  const arm = (): void => void hub.clock.setTimeout(run, EVERY_MS, { unref: true })
  arm()
}
