// The style of a viewport's own elements. A style sheet object needs no exception in the Content-Security-Policy.

export const sheet = new CSSStyleSheet();
sheet.replaceSync(`
:host {
  display: block;
  position: relative;
  overflow: hidden;
  min-width: 4rem;
  min-height: 4rem;
  background: var(--film-surround, #000);
}
.stage {
  position: absolute;
  inset: 0;
  outline: none;
  touch-action: none;
  user-select: none;
  -webkit-user-select: none;
  cursor: crosshair;
}
.stage[data-tool="pan"] { cursor: grab; }
.stage:focus-visible::after {
  content: "";
  position: absolute;
  inset: 0;
  border: 3px solid var(--focus, #ffd54a);
  pointer-events: none;
}
canvas {
  position: absolute;
  inset: 0;
  width: 100%;
  height: 100%;
}
.spoken {
  position: absolute;
  width: 1px;
  height: 1px;
  margin: -1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}
`);
