import { HttpResponse } from '../../http/endpoint.ts'

/** Text that is HTML already. */
export class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

export const escapeHtml = (text: string): string => text.replaceAll(/[&<>"']/g, (char) => ENTITIES[char]!)

type Part = Html | string | number | false | undefined | readonly Html[]

function render(part: Part): string {
  if (part === false || part === undefined) return ''
  if (part instanceof Html) return part.text
  if (typeof part === 'object') return part.map((one) => one.text).join('')
  return escapeHtml(String(part))
}

/** A template whose values are escaped unless they are HTML already. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(
    strings.map((text, index) => text + (index < parts.length ? render(parts[index]) : '')).join(''),
  )
}

const STYLE = `
:root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif }
body { margin: 0 auto; max-width: 34rem; padding: 1.5rem }
h1 { font-size: 1.5rem; line-height: 1.2 }
label { display: block; font-weight: 600; margin-top: 1.25rem }
.check { display: flex; font-weight: 400; gap: .6rem }
.hint { margin: 0 0 .35rem; opacity: .85 }
input:not([type=checkbox]) { border: 1px solid; border-radius: .3rem; box-sizing: border-box; font: inherit; min-height: 2.75rem; padding: .5rem; width: 100% }
input[type=checkbox] { flex: none; height: 1.5rem; width: 1.5rem }
button { background: #0b5; background: #066a3f; border: 0; border-radius: .3rem; color: #fff; font: inherit; font-weight: 600; margin-top: 1.5rem; min-height: 2.75rem; padding: .5rem 1.5rem }
:focus-visible { outline: 3px solid #1a73e8; outline-offset: 2px }
.error { border-left: .35rem solid #c5221f; margin: 1rem 0; padding: .1rem 1rem }
code { overflow-wrap: anywhere }
`.trim()

const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  // The page runs nothing and loads nothing; its address holds a secret.
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
}

/** A whole page, in plain English, that needs no script. */
export function htmlPage(status: number, title: string, body: Html): HttpResponse {
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <style>
          ${new Html(STYLE)}
        </style>
      </head>
      <body>
        <main>
          <h1>${title}</h1>
          ${body}
        </main>
      </body>
    </html> `
  return new HttpResponse({ status, headers: HEADERS, body: page.text })
}
