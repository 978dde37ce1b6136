// The search runs in a worker. No browser starts one from a folder (file:), so there it runs in a frame of the page.
if (location.protocol === "file:") {
  const later = (deliver, data) => setTimeout(deliver, 0, { data: structuredClone(data) });
  window.Worker = class {
    constructor(address) {
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      const inside = this.frame.contentWindow;
      inside.postMessage = (data) => later((message) => this.onmessage?.(message), data);
      const script = inside.document.createElement("script");
      script.src = address;
      this.ready = new Promise((resolve) => (script.onload = () => resolve(inside)));
      script.onerror = (error) => this.onerror?.(error);
      inside.document.body.append(script);
    }

    postMessage(data) {
      this.ready.then((inside) => later((message) => inside.onmessage(message), data));
    }

    terminate() {
      this.frame.remove();
    }
  };
}
