import type { HttpResponse } from '../../http/endpoint.ts'
import { html, htmlPage } from './html.ts'

/** Whom the mails are about, and where they go. */
export interface Subscription {
  readonly serverName: string
  readonly address: string
  readonly userId: string
  readonly token: string
}

/** A button, since programs that look through mail open links too. */
export function unsubscribeFormPage(action: string, subscription: Subscription): HttpResponse {
  const { serverName, address, userId, token } = subscription
  return htmlPage(
    200,
    'Stop e-mail about unread messages',
    html`<p>
        The Matrix server <strong>${serverName}</strong> tells you at <strong>${address}</strong> of messages
        to <strong>${userId}</strong> that you have not read.
      </p>
      <form method="post" action="${action}">
        <input type="hidden" name="token" value="${token}" />
        <button type="submit">Stop these mails</button>
      </form>`,
  )
}

/** The same when they were stopped before. */
export function unsubscribedPage(): HttpResponse {
  return htmlPage(
    200,
    'No more mails',
    html`<p>
      You are not told of unread messages at this address any more. You can turn it on again in the settings
      of your Matrix client, under notifications.
    </p>`,
  )
}

/** For a link that is not good (any more). */
export function unsubscribeRefusalPage(): HttpResponse {
  return htmlPage(
    403,
    'This link cannot be used',
    html`<p>
      It was not copied completely, or is from before this server changed its keys. Use the link in a newer
      mail, or the settings of your Matrix client, under notifications.
    </p>`,
  )
}
