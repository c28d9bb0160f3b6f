// What all sliders have in common: they catch where nothing changes, count in strides by the keyboard, and show how far they are.
window.lwe.listenToSlider = (input, { still = 0, value = () => Number(input.value), set }) => {
  let dragging = false;
  input.addEventListener("pointerdown", () => { dragging = true; });
  window.addEventListener("pointerup", () => { dragging = false; });
  const take = () => {
    const wanted = Number(input.value);
    // A hand cannot hit the still place exactly: near it the slider catches.
    set(dragging && Math.abs(wanted - still) < 0.015 * (input.max - input.min) ? still : wanted);
  };
  input.addEventListener("input", take);
  input.addEventListener("change", take);
  input.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const stride = Number(input.dataset.stride);
    const next = Math.round(value() / stride + step) * stride;
    set(Math.max(Number(input.min), Math.min(Number(input.max), next)));
  });
};

window.lwe.fillSlider = (input, { still = 0, value, words }) => {
  const share = (number) => (number - input.min) / (input.max - input.min);
  input.style.setProperty("--low", Math.min(share(still), share(value)));
  input.style.setProperty("--high", Math.max(share(still), share(value)));
  input.setAttribute("aria-valuetext", words);
};
